import copy
import json

import pytest
from label_studio_tools.postprocessing.video import extract_key_frames
from PIL import Image

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    FrameFolders,
    LabelStudioReader,
    assemble,
)
from pmvis_mm.formats.readers.interpolation import interpolate_boxes
from pmvis_mm.structures.video_annotations import parse_annotations
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import AnnotationError

WIDTH, HEIGHT, LENGTH = 200, 100, 12


def key(frame, x=10.0, y=20.0, width=30.0, height=40.0, **more):
    values = dict(
        frame=frame,
        enabled=True,
        rotation=0,
        x=x,
        y=y,
        width=width,
        height=height,
        time=frame / 25,
    )
    values.update(more)
    return values


def region(sequence, name='r1', labels=('dog',), length=LENGTH, **more):
    value = dict(sequence=sequence, framesCount=length, duration=0.48)
    if labels is not None:
        value['labels'] = list(labels)
    return dict(
        id=name,
        type='videorectangle',
        value=value,
        from_name='box',
        to_name='video',
        origin='manual',
        **more,
    )


SIZED = dict(original_width=WIDTH, original_height=HEIGHT)


def annotation(results, **more):
    return dict(id=1, completed_by=1, result=results, was_cancelled=False,
                ground_truth=False, **more)  # fmt: skip


def task(annotations, video='/data/upload/1/12ab34cd-clip.mp4', number=7):
    return dict(
        id=number, data=dict(video=video), annotations=list(annotations)
    )


def write(tmp_path, tasks, name='export.json'):
    path = tmp_path / name
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding='utf-8')
    return path


def one(tmp_path, *results, **options):
    """Read a single task of regions that tell the size."""
    results = [dict(r, **SIZED) for r in results]
    path = write(tmp_path, [task([annotation(results)])])
    (video,) = LabelStudioReader(path, **options).videos()
    return video


def refused(match, tmp_path, tasks, **options):
    path = write(tmp_path, tasks)
    with pytest.raises(AnnotationError, match=match) as caught:
        list(LabelStudioReader(path, **options).videos())
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_keyframes(tmp_path):
    video = one(tmp_path, region([key(3), key(6, x=20, enabled=False)]))
    assert (video.name, video.length) == ('clip', LENGTH)
    assert (video.width, video.height) == (WIDTH, HEIGHT)
    (track,) = video.tracks
    assert (track.id, track.category) == ('r1', 'dog')
    # The disabled keyframe is the last one that is shown.
    assert track.boxes == {
        2: (20, 20, 80, 60),
        5: (40, 20, 100, 60),
        6: None,
    }
    assert track.interpolated == set() and track.masks == {}


def test_the_last_box_stays(tmp_path):
    (track,) = one(tmp_path, region([key(3)])).tracks
    assert track.boxes == {2: (20, 20, 80, 60), 11: (20, 20, 80, 60)}
    assert track.interpolated == {11}
    (track,) = one(tmp_path, region([key(3)]), hold_last=False).tracks
    assert track.boxes == {2: (20, 20, 80, 60)}
    (track,) = one(tmp_path, region([key(12)])).tracks
    assert track.boxes == {11: (20, 20, 80, 60)}
    assert track.interpolated == set()
    unknown = region([key(3)], length=None)
    video = one(tmp_path, unknown)
    assert video.length is None
    assert set(video.tracks[0].boxes) == {2}


SEQUENCES = [
    [key(2), key(5, x=22), key(9, y=3, width=8, enabled=False)],
    [key(1), key(4, enabled=False), key(8, x=1), key(11, enabled=False)],
    [key(1, enabled=False), key(2), key(3, enabled=False), key(4, x=5)],
    [key(3, enabled=False), key(5, enabled=False), key(9, x=60)],
    [key(12)],
    [key(7, x=3, rotation=0), key(2)],
]


@pytest.mark.parametrize('sequence', SEQUENCES)
def test_label_studio_itself_shows_the_same(tmp_path, sequence):
    (track,) = one(tmp_path, region(sequence)).tracks
    boxes = dict(track.boxes)
    boxes.update(interpolate_boxes(boxes))
    shown = {t: box for t, box in boxes.items() if box is not None}
    (expected,) = extract_key_frames(copy.deepcopy([region(sequence)]))
    found = {}
    for entry in expected['value']['sequence']:
        x, y = entry['x'] * WIDTH / 100, entry['y'] * HEIGHT / 100
        x1 = x + entry['width'] * WIDTH / 100
        y1 = y + entry['height'] * HEIGHT / 100
        found[entry['frame'] - 1] = (x, y, x1, y1)
    assert set(shown) == set(found)
    for frame, box in found.items():
        assert shown[frame] == pytest.approx(box, abs=1e-6)


def test_interpolated_export(tmp_path):
    (whole,) = extract_key_frames([region([key(2), key(5, x=22)])])
    (track,) = one(tmp_path, whole).tracks
    assert set(track.boxes) == set(range(1, 12))
    assert track.interpolated == {2, 3, *range(5, 12)}


def test_becomes_a_dataset(tmp_path):
    results = [
        region([key(2), key(4, x=20, enabled=False)], **SIZED),
        region([key(1, y=80)], 'r2', ['cat'], **SIZED),
    ]
    path = write(tmp_path, [task([annotation(results)])])
    sparse, whole = (
        parse_annotations(
            assemble(
                LabelStudioReader(path),
                interpolate=interpolate,
                invent_names=True,
                clip_boxes=True,
            )
        ).tracks[1][0]
        for interpolate in (False, True)
    )
    assert sparse.boxes[1:4] == [(20, 20, 80, 60), None, (40, 20, 100, 60)]
    assert whole.boxes[2] == (30, 20, 90, 60)
    assert whole.boxes[4:] == [None] * 8


def test_sizes_and_length_of_frames_on_disk(tmp_path):
    folder = tmp_path / 'frames' / 'clip'
    folder.mkdir(parents=True)
    for t in range(5):
        Image.new('RGB', (50, 40)).save(folder / f'{t}.jpg')
    frames = FrameFolders(tmp_path / 'frames')
    path = write(tmp_path, [task([annotation([region([key(3)], length=6)])])])
    (video,) = LabelStudioReader(path, frames).videos()
    assert (video.width, video.height, video.length) == (50, 40, 5)
    assert video.file_names[4] == 'clip/4.jpg'
    assert video.tracks[0].boxes == {2: (5, 8, 20, 24), 4: (5, 8, 20, 24)}
    tasks = [task([annotation([region([key(3)], length=8)])])]
    text = refused('counted 8 frames, but there are 5', tmp_path, tasks,
                   frames=frames)  # fmt: skip
    assert 'frameRate' in text


def test_sizes_missing(tmp_path):
    tasks = [task([annotation([region([key(3)])])])]
    text = refused('size of the video is unknown', tmp_path, tasks)
    assert '--frames' in text and 'video clip' in text


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
        [task([annotation([region([key(3)], **SIZED)])], location)],
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
        tasks = [task([annotation([region([key(2)], length=3)])], location)]
        path = write(tmp_path, tasks)
        (video,) = LabelStudioReader(path, frames).videos()
        assert video.name == name
        assert (video.width, video.height) == (96, 64)


def test_video_key(tmp_path):
    tasks = [task([annotation([region([key(3)], **SIZED)])])]
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


def test_labels_beside_the_region(tmp_path):
    labels = dict(
        id='r1', type='labels', value=dict(labels=['cat']), to_name='video'
    )
    plain = region([key(3)], labels=None)
    assert one(tmp_path, plain, labels).tracks[0].category == 'cat'
    assert one(tmp_path, plain).tracks[0].category is None
    assert one(tmp_path, region([key(3)], labels=[])).tracks[0].id == 'r1'
    tasks = [task([annotation([region([key(3)], **SIZED), labels])])]
    text = refused('2 labels: dog, cat', tmp_path, tasks)
    assert 'instance r1' in text


def boxes_of(tmp_path, annotations, **options):
    path = write(tmp_path, [task(annotations)])
    videos = list(LabelStudioReader(path, **options).videos())
    return [min(video.tracks[0].boxes) for video in videos]


def test_which_annotator(tmp_path):
    def by(frame, **more):
        results = [region([key(frame)], **SIZED)]
        return dict(annotation(results), **more)

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
        "submitted by 'x@y.z'", tmp_path, [task([early])], annotator='x@y.z'
    )
    refused('no task has an annotation', tmp_path, [task([cancelled])])
    refused('no task has an annotation', tmp_path, [task([])])


def test_tasks_without_work_are_left_out(tmp_path):
    done = annotation([region([key(3)], **SIZED)])
    tasks = [task([], 'a.mp4', 1), task([done], 'b.mp4', 2),
             task([annotation([])], 'c.mp4', 3)]  # fmt: skip
    path = write(tmp_path, tasks)
    videos = list(LabelStudioReader(path).videos())
    # Somebody looked at c and submitted it: a video without objects.
    assert [video.name for video in videos] == ['b', 'c']
    assert videos[1].tracks == []


def test_two_tasks_of_one_video(tmp_path):
    done = annotation([region([key(3)], **SIZED)])
    tasks = [task([done], 'a/x.mp4', 4), task([done], 'b/x.mp4', 9)]
    refused('tasks 4 and 9 are about one video', tmp_path, tasks)


def test_older_exports_say_completions(tmp_path):
    old = task([])
    del old['annotations']
    old['completions'] = [annotation([region([key(3)], **SIZED)])]
    path = write(tmp_path, old)
    (video,) = LabelStudioReader(path).videos()
    assert set(video.tracks[0].boxes) == {2, 11}


def test_turned_boxes(tmp_path):
    # 60 x 40 pixels, turned by 90 degrees clockwise around (100, 20).
    (track,) = one(tmp_path, region([key(12, x=50, rotation=90)])).tracks
    assert track.boxes[11] == pytest.approx((60, 20, 100, 80))


def test_numbers_of_frames(tmp_path):
    def tasks(frame):
        return [task([annotation([region([key(frame)], **SIZED)])])]

    text = refused('frame 0 comes before the first one', tmp_path, tasks(0))
    assert '--first-frame' in text and 'instance r1' in text
    text = refused('frame 13 does not exist', tmp_path, tasks(13))
    assert 'numbered 1 to 12' in text
    path = write(tmp_path, tasks(0))
    (video,) = LabelStudioReader(path, first_frame=0).videos()
    assert 0 in video.tracks[0].boxes


def test_two_boxes_in_one_frame(tmp_path):
    twice = region([key(3), key(3)])
    assert 2 in one(tmp_path, twice).tracks[0].boxes
    bad = region([key(3), key(3, x=11)], **SIZED)
    text = refused('one id in a frame', tmp_path, [task([annotation([bad])])])
    assert 'frame 2' in text and 'instance r1' in text
    bad = [region([key(3, x=x)], **SIZED) for x in (1, 2)]
    refused('one id in a frame', tmp_path, [task([annotation(bad)])])


@pytest.mark.parametrize(
    'change, match',
    [
        (dict(x=float('nan')), 'no finite number'),
        (dict(y=float('inf')), 'no finite number'),
        (dict(width='5'), 'no finite number'),
        (dict(height=None), 'no finite number'),
        (dict(width=0), 'no positive width'),
        (dict(height=-3), 'no positive width'),
        (dict(frame='3'), 'has no number'),
        (dict(frame=True), 'has no number'),
    ],
)
def test_bad_keyframes(tmp_path, change, match):
    bad = region([dict(key(3), **change)], **SIZED)
    text = refused(match, tmp_path, [task([annotation([bad])])])
    assert 'video clip' in text and 'instance r1' in text


@pytest.mark.parametrize(
    'result, match',
    [
        (5, 'result 5 is no object'),
        (dict(region([]), id=None), 'a region has no "id"'),
        (dict(region([]), value=None), 'no list "sequence"'),
        (dict(region([]), value=dict(sequence=3)), 'no list "sequence"'),
        (region([key(3)], labels=[3], **SIZED), 'no list of names'),
        (region(['x'], **SIZED), "keyframe 'x' has no number"),
    ],
)
def test_bad_regions(tmp_path, result, match):
    refused(match, tmp_path, [task([annotation([result])])])


def test_other_regions(tmp_path):
    image = dict(
        id='r5',
        type='rectanglelabels',
        value=dict(x=1, y=2, width=3, height=4, rectanglelabels=['dog']),
    )
    choice = dict(id='c', type='choices', value=dict(choices=['good']))
    relation = dict(type='relation', from_id='a', to_id='b')
    good = region([key(3)], **SIZED)
    tasks = [task([annotation([good, choice, relation, image])])]
    text = refused("type 'rectanglelabels' is no video", tmp_path, tasks)
    assert '<VideoRectangle>' in text and 'instance r5' in text
    path = write(tmp_path, tasks)
    (video,) = LabelStudioReader(path, skip_unsupported=True).videos()
    assert [track.id for track in video.tracks] == ['r1']


def test_the_small_export_is_named(tmp_path):
    value = region([key(3)])['value']
    tasks = [dict(video='clip.mp4', id=1, box=[value], annotator=1)]
    text = refused('this is the export "JSON-MIN"', tmp_path, tasks)
    assert 'export "JSON"' in text


def test_truncated_and_other_files(tmp_path):
    path = write(tmp_path, [task([annotation([region([key(3)])])])])
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(AnnotationError, match='no json, or cut off'):
        list(LabelStudioReader(path).videos())
    for data in ([], 5, [3], [dict(id=1)]):
        refused('not Label Studio json', tmp_path, data)
    refused('are no list', tmp_path, [task([dict(result=None)])])
    refused('are no list', tmp_path, [dict(task([]), annotations=3)])
    with pytest.raises(AnnotationError, match='cannot be read'):
        list(LabelStudioReader(tmp_path / 'missing.json').videos())


def test_byte_order_mark_and_windows_lines(tmp_path):
    good = region([key(3)], labels=['größer Hund'], **SIZED)
    text = json.dumps(
        [task([annotation([good])])], ensure_ascii=False, indent=1
    )
    path = tmp_path / 'ein Export ä.json'
    path.write_bytes(b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode())
    (video,) = LabelStudioReader(path).videos()
    assert video.tracks[0].category == 'größer Hund'


def test_registered():
    reader = ANNOTATION_READERS.get('label_studio')
    assert reader is LabelStudioReader
    assert reader.title == 'Label Studio json'
