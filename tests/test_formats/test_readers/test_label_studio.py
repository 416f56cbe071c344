import json

import pytest

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    FrameFolders,
    LabelStudioReader,
)
from pmvis_mm.testing.label_studio_export import (
    SIZED,
    video_annotation,
    video_keyframe,
    video_region,
    video_task,
)
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import AnnotationError


def write(tmp_path, tasks, name='export.json'):
    path = tmp_path / name
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding='utf-8')
    return path


def refused(match, tmp_path, tasks, **options):
    path = write(tmp_path, tasks)
    with pytest.raises(AnnotationError, match=match) as caught:
        list(LabelStudioReader(path, **options).videos())
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    'location, name',
    [
        ('/data/upload/1/12ab34cd-clip.mp4', 'clip'),
        ('/data/local-files/?d=sub%20dir/ein%20clip.mp4', 'ein clip'),
        ('s3://bucket/sub/12ab34cd-clip.MP4', '12ab34cd-clip'),
        ('https://a.b/%E7%8B%97.webm?token=1', '狗'),
        ('C:\\videos\\clip.avi', 'clip'),
        ('<video src="x">', None),
    ],
)
def test_names(tmp_path, location, name):
    path = write(
        tmp_path,
        [
            video_task(
                [
                    video_annotation(
                        [video_region([video_keyframe(3)], **SIZED)]
                    )
                ],
                location,
            )
        ],
    )
    if name is None:
        name = '<video src="x">'
    (video,) = LabelStudioReader(path).videos()
    assert video.name == name


def test_folders_of_the_name_are_found(tmp_path):
    (tmp_path / 'sub').mkdir()
    write_mp4(tmp_path / 'sub' / '12ab34cd-clip.mp4', moving_frames(3))
    write_mp4(tmp_path / 'clip.mp4', moving_frames(4))
    frames = FrameFolders(tmp_path)
    for location, name in (
        ('/data/local-files/?d=x/sub/12ab34cd-clip.mp4', 'sub/12ab34cd-clip'),
        ('/data/upload/1/ffffffff-clip.mp4', 'clip'),
    ):
        tasks = [
            video_task(
                [
                    video_annotation(
                        [video_region([video_keyframe(2)], length=3)]
                    )
                ],
                location,
            )
        ]
        path = write(tmp_path, tasks)
        (video,) = LabelStudioReader(path, frames).videos()
        assert video.name == name
        assert (video.width, video.height) == (96, 64)


def test_video_key(tmp_path):
    tasks = [
        video_task(
            [video_annotation([video_region([video_keyframe(3)], **SIZED)])]
        )
    ]
    tasks[0]['data'] = dict(a='x/one.mp4', b='x/two.mp4', text='note')
    text = refused('the data of task 7 name 2 videos', tmp_path, tasks)
    assert 'video_key' in text
    path = write(tmp_path, tasks)
    (video,) = LabelStudioReader(path, video_key='b').videos()
    assert video.name == 'two'
    refused('name 0 videos', tmp_path, tasks, video_key='c')
    tasks[0]['data'] = dict(image='x/one.jpg')
    refused('name 0 videos', tmp_path, tasks)
    tasks[0]['data'] = dict(video='/')
    refused('has no name', tmp_path, tasks)


def boxes_of(tmp_path, annotations, **options):
    path = write(tmp_path, [video_task(annotations)])
    videos = list(LabelStudioReader(path, **options).videos())
    return [min(video.tracks[0].boxes) for video in videos]


def test_which_annotator(tmp_path):
    def by(frame, **more):
        results = [video_region([video_keyframe(frame)], **SIZED)]
        return dict(video_annotation(results), **more)

    early = by(2, updated_at='2024-01-02T00:00:00Z', completed_by=4)
    late = by(3, updated_at='2024-03-01T00:00:00Z',
              completed_by=dict(id=5, email='a@b.c'))  # fmt: skip
    cancelled = by(4, updated_at='2024-04-01T00:00:00Z', was_cancelled=True)
    assert boxes_of(tmp_path, [late, early, cancelled]) == [2]
    assert boxes_of(tmp_path, [late, dict(early, ground_truth=True)]) == [1]
    assert boxes_of(tmp_path, [late, early], annotator=4) == [1]
    assert boxes_of(tmp_path, [early, late], annotator=5) == [2]
    assert boxes_of(tmp_path, [early, late], annotator='a@b.c') == [2]
    same = [by(6), by(9)]  # no times: the last one of the list
    assert boxes_of(tmp_path, same) == [8]
    refused(
        "submitted by 'x@y.z'",
        tmp_path,
        [video_task([early])],
        annotator='x@y.z',
    )
    refused('no task has an annotation', tmp_path, [video_task([cancelled])])
    refused('no task has an annotation', tmp_path, [video_task([])])


def test_tasks_without_work_are_left_out(tmp_path):
    done = video_annotation([video_region([video_keyframe(3)], **SIZED)])
    tasks = [video_task([], 'a.mp4', 1), video_task([done], 'b.mp4', 2),
             video_task([video_annotation([])], 'c.mp4', 3)]  # fmt: skip
    path = write(tmp_path, tasks)
    videos = list(LabelStudioReader(path).videos())
    # Somebody looked at c and submitted it: a video without objects.
    assert [video.name for video in videos] == ['b', 'c']
    assert videos[1].tracks == []


def test_two_tasks_of_one_video(tmp_path):
    done = video_annotation([video_region([video_keyframe(3)], **SIZED)])
    tasks = [
        video_task([done], 'a/x.mp4', 4),
        video_task([done], 'b/x.mp4', 9),
    ]
    refused('tasks 4 and 9 are about one video', tmp_path, tasks)


def test_older_exports_say_completions(tmp_path):
    old = video_task([])
    del old['annotations']
    old['completions'] = [
        video_annotation([video_region([video_keyframe(3)], **SIZED)])
    ]
    path = write(tmp_path, old)
    (video,) = LabelStudioReader(path).videos()
    assert set(video.tracks[0].boxes) == {2, 11}


def test_the_small_export_is_named(tmp_path):
    value = video_region([video_keyframe(3)])['value']
    tasks = [dict(video='clip.mp4', id=1, box=[value], annotator=1)]
    text = refused('this is the export "JSON-MIN"', tmp_path, tasks)
    assert 'export "JSON"' in text


def test_truncated_and_other_files(tmp_path):
    path = write(
        tmp_path,
        [video_task([video_annotation([video_region([video_keyframe(3)])])])],
    )
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(AnnotationError, match='no json, or cut off'):
        list(LabelStudioReader(path).videos())
    for data in ([], 5, [3], [dict(id=1)]):
        refused('not Label Studio json', tmp_path, data)
    refused('are no list', tmp_path, [video_task([dict(result=None)])])
    refused('are no list', tmp_path, [dict(video_task([]), annotations=3)])
    with pytest.raises(AnnotationError, match='cannot be read'):
        list(LabelStudioReader(tmp_path / 'missing.json').videos())


def test_byte_order_mark_and_windows_lines(tmp_path):
    good = video_region([video_keyframe(3)], labels=['größer Hund'], **SIZED)
    text = json.dumps(
        [video_task([video_annotation([good])])], ensure_ascii=False, indent=1
    )
    path = tmp_path / 'ein Export ä.json'
    path.write_bytes(b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode())
    (video,) = LabelStudioReader(path).videos()
    assert video.tracks[0].category == 'größer Hund'


def test_registered():
    reader = ANNOTATION_READERS.get('label_studio')
    assert reader is LabelStudioReader
    assert reader.title == 'Label Studio json'
