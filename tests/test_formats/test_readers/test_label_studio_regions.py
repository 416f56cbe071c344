import copy
import json

import pytest
from label_studio_tools.postprocessing.video import extract_key_frames
from PIL import Image

from pmvis_mm.formats.readers import (
    FrameFolders,
    LabelStudioReader,
    assemble,
)
from pmvis_mm.formats.readers.interpolation import interpolate_boxes
from pmvis_mm.structures.video_annotations import parse_annotations
from pmvis_mm.testing.label_studio_export import (
    LENGTH,
    SIZED,
    video_annotation,
    video_keyframe,
    video_region,
    video_task,
)
from pmvis_mm.utils.errors import AnnotationError, FrameError

WIDTH, HEIGHT = SIZED['original_width'], SIZED['original_height']


def write(tmp_path, tasks, name='export.json'):
    path = tmp_path / name
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding='utf-8')
    return path


def one(tmp_path, *results, **options):
    """Read a single task of regions that tell the size."""
    results = [dict(r, **SIZED) for r in results]
    path = write(tmp_path, [video_task([video_annotation(results)])])
    (video,) = LabelStudioReader(path, **options).videos()
    return video


def refused(match, tmp_path, tasks, **options):
    path = write(tmp_path, tasks)
    with pytest.raises(AnnotationError, match=match) as caught:
        list(LabelStudioReader(path, **options).videos())
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_keyframes(tmp_path):
    video = one(
        tmp_path,
        video_region(
            [video_keyframe(3), video_keyframe(6, x=20, enabled=False)]
        ),
    )
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
    (track,) = one(tmp_path, video_region([video_keyframe(3)])).tracks
    assert track.boxes == {2: (20, 20, 80, 60), 11: (20, 20, 80, 60)}
    assert track.interpolated == {11}
    (track,) = one(
        tmp_path, video_region([video_keyframe(3)]), hold_last=False
    ).tracks
    assert track.boxes == {2: (20, 20, 80, 60)}
    (track,) = one(tmp_path, video_region([video_keyframe(12)])).tracks
    assert track.boxes == {11: (20, 20, 80, 60)}
    assert track.interpolated == set()
    unknown = video_region([video_keyframe(3)], length=None)
    video = one(tmp_path, unknown)
    assert video.length is None
    assert set(video.tracks[0].boxes) == {2}


SEQUENCES = [
    [
        video_keyframe(2),
        video_keyframe(5, x=22),
        video_keyframe(9, y=3, width=8, enabled=False),
    ],
    [
        video_keyframe(1),
        video_keyframe(4, enabled=False),
        video_keyframe(8, x=1),
        video_keyframe(11, enabled=False),
    ],
    [
        video_keyframe(1, enabled=False),
        video_keyframe(2),
        video_keyframe(3, enabled=False),
        video_keyframe(4, x=5),
    ],
    [
        video_keyframe(3, enabled=False),
        video_keyframe(5, enabled=False),
        video_keyframe(9, x=60),
    ],
    [video_keyframe(12)],
    [video_keyframe(7, x=3, rotation=0), video_keyframe(2)],
]


@pytest.mark.parametrize('sequence', SEQUENCES)
def test_label_studio_itself_shows_the_same(tmp_path, sequence):
    (track,) = one(tmp_path, video_region(sequence)).tracks
    boxes = dict(track.boxes)
    boxes.update(interpolate_boxes(boxes))
    shown = {t: box for t, box in boxes.items() if box is not None}
    (expected,) = extract_key_frames(copy.deepcopy([video_region(sequence)]))
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
    (whole,) = extract_key_frames(
        [video_region([video_keyframe(2), video_keyframe(5, x=22)])]
    )
    (track,) = one(tmp_path, whole).tracks
    assert set(track.boxes) == set(range(1, 12))
    assert track.interpolated == {2, 3, *range(5, 12)}


def test_becomes_a_dataset(tmp_path):
    results = [
        video_region(
            [video_keyframe(2), video_keyframe(4, x=20, enabled=False)],
            **SIZED,
        ),
        video_region([video_keyframe(1, y=80)], 'r2', ['cat'], **SIZED),
    ]
    path = write(tmp_path, [video_task([video_annotation(results)])])
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
    path = write(
        tmp_path,
        [
            video_task(
                [
                    video_annotation(
                        [video_region([video_keyframe(3)], length=6)]
                    )
                ]
            )
        ],
    )
    (video,) = LabelStudioReader(path, frames).videos()
    assert (video.width, video.height, video.length) == (50, 40, 5)
    assert video.file_names[4] == 'clip/4.jpg'
    assert video.tracks[0].boxes == {2: (5, 8, 20, 24), 4: (5, 8, 20, 24)}
    tasks = [
        video_task(
            [video_annotation([video_region([video_keyframe(3)], length=8)])]
        )
    ]
    text = refused('counted 8 frames, but there are 5', tmp_path, tasks,
                   frames=frames)  # fmt: skip
    assert 'frameRate' in text


def test_sizes_missing(tmp_path):
    tasks = [
        video_task([video_annotation([video_region([video_keyframe(3)])])])
    ]
    text = refused('size of the video is unknown', tmp_path, tasks)
    assert '--frames' in text and 'video clip' in text
    assert '--size' in text


def test_size_that_is_given(tmp_path):
    def build(**sizes):
        keyframe = video_keyframe(3, x=50, y=25, width=25, height=50)
        region = video_region([keyframe], **sizes)
        path = tmp_path / 'a.json'
        path.write_text(json.dumps([video_task([video_annotation([region])])]))
        return assemble(
            LabelStudioReader(path, hold_last=False),
            size=(200, 100),
            invent_names=True,
        )

    content = build()
    (entry,) = content['annotations']
    assert entry['bboxes'][2] == [100, 25, 50, 50]
    assert (content['videos'][0]['width'], entry['height']) == (200, 100)
    # What the file tells comes first, and must agree.
    with pytest.raises(FrameError, match='say 100x50 pixels but --size says'):
        build(original_width=100, original_height=50)


def test_labels_beside_the_region(tmp_path):
    labels = dict(
        id='r1', type='labels', value=dict(labels=['cat']), to_name='video'
    )
    plain = video_region([video_keyframe(3)], labels=None)
    assert one(tmp_path, plain, labels).tracks[0].category == 'cat'
    assert one(tmp_path, plain).tracks[0].category is None
    assert (
        one(tmp_path, video_region([video_keyframe(3)], labels=[]))
        .tracks[0]
        .id
        == 'r1'
    )
    tasks = [
        video_task(
            [
                video_annotation(
                    [video_region([video_keyframe(3)], **SIZED), labels]
                )
            ]
        )
    ]
    text = refused('2 labels: dog, cat', tmp_path, tasks)
    assert 'instance r1' in text


def test_turned_boxes(tmp_path):
    # 60 x 40 pixels, turned by 90 degrees clockwise around (100, 20).
    (track,) = one(
        tmp_path, video_region([video_keyframe(12, x=50, rotation=90)])
    ).tracks
    assert track.boxes[11] == pytest.approx((60, 20, 100, 80))


def test_numbers_of_frames(tmp_path):
    def tasks(frame):
        return [
            video_task(
                [
                    video_annotation(
                        [video_region([video_keyframe(frame)], **SIZED)]
                    )
                ]
            )
        ]

    text = refused('frame 0 comes before the first one', tmp_path, tasks(0))
    assert '--first-frame' in text and 'instance r1' in text
    text = refused('frame 13 does not exist', tmp_path, tasks(13))
    assert 'numbered 1 to 12' in text
    path = write(tmp_path, tasks(0))
    (video,) = LabelStudioReader(path, first_frame=0).videos()
    assert 0 in video.tracks[0].boxes


def test_two_boxes_in_one_frame(tmp_path):
    twice = video_region([video_keyframe(3), video_keyframe(3)])
    assert 2 in one(tmp_path, twice).tracks[0].boxes
    bad = video_region([video_keyframe(3), video_keyframe(3, x=11)], **SIZED)
    text = refused(
        'one id in a frame', tmp_path, [video_task([video_annotation([bad])])]
    )
    assert 'frame 2' in text and 'instance r1' in text
    bad = [video_region([video_keyframe(3, x=x)], **SIZED) for x in (1, 2)]
    refused(
        'one id in a frame', tmp_path, [video_task([video_annotation(bad)])]
    )


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
    bad = video_region([dict(video_keyframe(3), **change)], **SIZED)
    text = refused(match, tmp_path, [video_task([video_annotation([bad])])])
    assert 'video clip' in text and 'instance r1' in text


@pytest.mark.parametrize(
    'result, match',
    [
        (5, 'result 5 is no object'),
        (dict(video_region([]), id=None), 'a region has no "id"'),
        (dict(video_region([]), value=None), 'no list "sequence"'),
        (dict(video_region([]), value=dict(sequence=3)), 'no list "sequence"'),
        (
            video_region([video_keyframe(3)], labels=[3], **SIZED),
            'no list of names',
        ),
        (video_region(['x'], **SIZED), "keyframe 'x' has no number"),
    ],
)
def test_bad_regions(tmp_path, result, match):
    refused(match, tmp_path, [video_task([video_annotation([result])])])


def test_other_regions(tmp_path):
    image = dict(
        id='r5',
        type='rectanglelabels',
        value=dict(x=1, y=2, width=3, height=4, rectanglelabels=['dog']),
    )
    choice = dict(id='c', type='choices', value=dict(choices=['good']))
    relation = dict(type='relation', from_id='a', to_id='b')
    good = video_region([video_keyframe(3)], **SIZED)
    tasks = [video_task([video_annotation([good, choice, relation, image])])]
    text = refused("type 'rectanglelabels' is no video", tmp_path, tasks)
    assert '<VideoRectangle>' in text and 'instance r5' in text
    path = write(tmp_path, tasks)
    (video,) = LabelStudioReader(path, skip_unsupported=True).videos()
    assert [track.id for track in video.tracks] == ['r1']
    assert video.dropped == {"regions of type 'rectanglelabels'": 1}


def test_hidden_keyframes_without_a_box(tmp_path):
    hidden = dict(enabled=False, x=0, y=0, width=0, height=0)
    sequence = [
        video_keyframe(1, **hidden),
        video_keyframe(3),
        video_keyframe(5, **hidden),
    ]
    (track,) = one(tmp_path, video_region(sequence)).tracks
    box = (20, 20, 80, 60)
    assert track.boxes == {0: None, 1: None, 2: box, 4: None, 5: None}
