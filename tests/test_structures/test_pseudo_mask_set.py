"""PseudoMaskSet: disk, merge, join, and every way to get it wrong."""

import copy
import json
import random

import pytest

from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoInfo,
    join,
    parse_annotations,
)
from pmvis_mm.structures.rle import area, box_rle
from pmvis_mm.utils.errors import MaskSetError, OutputError

HEIGHT, WIDTH = 8, 10


def mask(x0=1, y0=0, x1=3, y1=2):
    return box_rle((x0, y0, x1, y1), HEIGHT, WIDTH)


def boxes_json():
    """Videos 4 (two frames) and 0 (one); annotations 7, 0 and 3."""
    return dict(
        videos=[
            dict(
                id=4, width=10, height=8, length=2, file_names=['a/0', 'a/1']
            ),
            dict(id=0, width=10, height=8, length=1, file_names=['b/0']),
        ],
        categories=[dict(id=0, name='cat'), dict(id=5, name='dog')],
        annotations=[
            dict(id=7, video_id=4, category_id=0, bboxes=[[1, 0, 2, 2]] * 2),
            dict(id=0, video_id=4, category_id=5, bboxes=[[4, 4, 3, 3], None]),
            dict(id=3, video_id=0, category_id=0, bboxes=[[0, 0, 10, 8]]),
        ],
    )


def annotations():
    return parse_annotations(boxes_json(), 'boxes.json')


def make_set(name='sam', skip=()):
    """All boxes filled, but not those of the (id, frame) to skip."""
    real = annotations()
    result = PseudoMaskSet.empty_like(real, name)
    for box_track in real:
        track = MaskTrack.empty_like(box_track)
        for t, box in enumerate(track.boxes):
            if box is not None and (track.id, t) not in skip:
                track.set(t, box_rle(box, 8, 10), name, 0.5 + t / 10)
        result.tracks[track.video_id].append(track)
    return result


def refused(match, *where):
    """Context that expects a typed error naming every part."""
    pattern = '(?s)' + '.*'.join([match, *where, 'Fix: '])
    return pytest.raises(MaskSetError, match=pattern)


# ------------------------------------------------------------------ tracks
def test_set_and_remove_a_mask():
    track = MaskTrack.empty_like(annotations().tracks[4][0])
    assert (track.id, track.video_id, track.category_id) == (7, 4, 0)
    assert track.num_masks == 0
    track.set(0, mask(), 'sam', 0.123456789)
    track.set(1, mask(), 'flow')
    assert track.num_masks == 2
    assert track.sources == ['sam', 'flow']
    assert track.scores == [0.12346, None]
    track.set(0, None, 'sam', 1.0)
    track.set(1, mask(3, 3, 3, 3), 'sam', 1.0)  # empty
    assert track.masks == track.sources == track.scores == [None, None]


def test_copy_is_independent():
    track = make_set().tracks[4][0]
    other = track.copy()
    assert other == track
    other.set(0, None, '')
    other.boxes[1] = None
    assert track.num_masks == 2 and track.boxes[1] is not None


def test_counts():
    masks = make_set()
    masks.tracks[4][0].set(1, mask(), 'a flow')
    assert masks.num_masks == 4
    assert masks.source_counts() == {'a flow': 1, 'sam': 3}
    assert list(masks.source_counts()) == ['a flow', 'sam']
    empty = PseudoMaskSet.empty_like(annotations())
    assert empty.num_masks == 0 and empty.source_counts() == {}
    assert empty.tracks == {4: [], 0: []} and list(empty) == []


# -------------------------------------------------------------------- disk
def test_json_is_youtube_vis_with_sources_and_scores():
    data = make_set(skip=[(7, 1)]).to_json()
    assert [v['id'] for v in data['videos']] == [4, 0]
    assert data['categories'] == boxes_json()['categories']
    first = data['annotations'][0]
    assert first == dict(
        id=7,
        video_id=4,
        category_id=0,
        iscrowd=0,
        width=10,
        height=8,
        length=2,
        bboxes=[[1, 0, 2, 2], None],
        segmentations=[mask(), None],
        areas=[4, None],
        sources=['sam', None],
        scores=[0.5, None],
        annotated_bboxes=[[1, 0, 2, 2]] * 2,
    )
    # Any reader of YouTube-VIS json takes it.
    parsed = parse_annotations(json.loads(json.dumps(data)), with_masks=True)
    assert parsed.tracks[4][0].boxes == [(1, 0, 3, 2), None]


def test_round_trip_keeps_bytes_and_content(tmp_path):
    masks = make_set(skip=[(7, 1)])
    masks.dump(tmp_path / 'one.json')
    make_set(skip=[(7, 1)]).dump(tmp_path / 'same.json')
    one = (tmp_path / 'one.json').read_bytes()
    assert (tmp_path / 'same.json').read_bytes() == one
    again = PseudoMaskSet.load(tmp_path / 'one.json')
    assert again.name == str(tmp_path / 'one.json')
    assert again.tracks == masks.tracks and again.videos == masks.videos
    again.dump(tmp_path / 'two.json')
    assert (tmp_path / 'two.json').read_bytes() == one


def test_round_trip_keeps_bytes_for_any_box(tmp_path):
    rng = random.Random(0)
    masks = make_set()
    (track,) = masks.tracks[0]
    near = [0.0, 0.00004, 0.00005, 0.00006, 1 / 3]
    for _ in range(300):
        x0, y0 = rng.choice(near), rng.uniform(0, 4)
        x1, y1 = WIDTH - rng.choice(near), HEIGHT - rng.choice(near)
        track.boxes[0] = (x0, y0, x1, y1)
        track.set(0, mask(), 'sam', rng.random())
        written = json.dumps(masks.to_json())
        again = PseudoMaskSet.from_json(json.loads(written), 'x')
        assert json.dumps(again.to_json()) == written
        assert again.tracks[0][0].boxes[0] == pytest.approx(
            track.boxes[0], abs=1e-4
        )


def test_load_of_plain_youtube_vis(tmp_path):
    data = boxes_json()
    for entry in data['annotations']:
        entry['segmentations'] = [
            None if box is None else mask() for box in entry['bboxes']
        ]
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(data))
    assert PseudoMaskSet.load(path).source_counts() == {'truth': 4}
    masks = PseudoMaskSet.load(path, source='real')
    assert masks.source_counts() == {'real': 4}
    assert masks.tracks[4][0].scores == [None, None]


def test_from_json_leaves_its_input_alone():
    data = make_set(skip=[(7, 1)]).to_json()
    before = copy.deepcopy(data)
    masks = PseudoMaskSet.from_json(data, 'x')
    assert data == before
    assert masks.tracks[4][0].boxes == [(1, 0, 3, 2)] * 2


def test_masks_without_pixels_are_read_as_absent():
    data = make_set().to_json()
    data['annotations'][2]['segmentations'] = [mask(2, 2, 2, 2)]
    (track,) = PseudoMaskSet.from_json(data, 'x').tracks[0]
    assert track.masks == track.sources == track.scores == [None]


def test_set_without_annotations(tmp_path):
    masks = PseudoMaskSet.empty_like(annotations())
    masks.dump(tmp_path / 'empty.json')
    again = PseudoMaskSet.load(tmp_path / 'empty.json')
    assert again.num_masks == 0 and list(again.videos) == [4, 0]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'masks.json'
    make_set().dump(path)
    before = path.read_bytes()
    broken = make_set()
    broken.categories = [object()]  # json cannot write it
    with pytest.raises(TypeError):
        broken.dump(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    path = tmp_path / 'file' / 'below' / 'masks.json'
    with pytest.raises(OutputError, match='cannot write here.*Fix: ') as info:
        make_set().dump(path)
    assert str(path) in str(info.value)


# ----------------------------------------------------------- malformed files
def entry(**changes):
    data = make_set().to_json()
    data['annotations'][0].update(changes)
    return data


MALFORMED = [
    (dict(sources=['a']), '"sources" has length 1, expected 2'),
    (dict(sources='sa'), '"sources" has length \'sa\', expected 2'),
    (dict(scores=[0.1] * 3), '"scores" has length 3, expected 2'),
    (dict(segmentations=[None]), '"segmentations" has length 1'),
    (dict(annotated_bboxes=[None]), '"bboxes" has length 1'),
    (dict(segmentations=None), 'no "segmentations"'),
    (dict(category_id=9), 'unknown category_id 9'),
]


def test_a_score_too_long_for_a_float_is_refused():
    with refused('"scores" holds 1000', 'instance 7'):
        PseudoMaskSet.from_json(entry(scores=[10**400, None]), 'm.json')


@pytest.mark.parametrize('changes, message', MALFORMED)
def test_malformed_entries_name_the_instance(changes, message):
    where = 'file masks.json, video 4, instance 7'
    with refused(message, where):
        PseudoMaskSet.from_json(entry(**changes), 'masks.json')


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(sources=[None, 3]), '"sources" holds 3'),
        (dict(scores=[None, 'high']), '"scores" holds \'high\''),
        (dict(scores=[None, float('nan')]), '"scores" holds nan'),
        (dict(scores=[None, float('inf')]), '"scores" holds inf'),
        (
            dict(segmentations=[None, dict(size=[10, 8], counts=[80])]),
            r'mask size \[10, 8\] differs from the frame size \[8, 10\]',
        ),
        (
            dict(segmentations=[None, dict(size=[8, 10], counts='04')]),
            'counts add up to 4',
        ),
    ],
)
def test_malformed_frames_name_the_frame(changes, message):
    where = 'file masks.json, video 4, frame 1, instance 7'
    with refused(message, where):
        PseudoMaskSet.from_json(entry(**changes), 'masks.json')


@pytest.mark.parametrize(
    'data, message',
    [
        ([], 'expected a json object, got list'),
        (dict(annotations=[]), '"videos" is missing'),
        (entry(id=3), 'duplicate annotation id 3'),
        (entry(id=[1]), 'no integer "id"'),
        (entry(id=None), 'no integer "id"'),
        (dict(entry(), annotations=[5]), 'no integer "id"'),
    ],
)
def test_malformed_files(data, message):
    with refused(message, 'file masks.json'):
        PseudoMaskSet.from_json(data, 'masks.json')


def test_files_that_are_missing_or_cut_off(tmp_path):
    path = tmp_path / 'masks.json'
    with refused('file does not exist', str(path)):
        PseudoMaskSet.load(path)
    make_set().dump(path)
    path.write_bytes(path.read_bytes()[:-40])
    with refused('not a json file', str(path)):
        PseudoMaskSet.load(path)


# ------------------------------------------------------------- combinations
def changed_video(masks, **changes):
    video = masks.videos[4]
    fields = dict(
        id=4,
        width=video.width,
        height=video.height,
        file_names=video.file_names,
    )
    masks.videos[4] = VideoInfo(**dict(fields, **changes))
    return masks


def test_validate_accepts_any_part_of_the_annotations():
    make_set().validate(annotations())
    PseudoMaskSet.empty_like(annotations()).validate(annotations())


def test_validate_refuses_foreign_tracks():
    for name, value in (('id', 8), ('category_id', 5), ('video_id', 0)):
        masks = make_set('sam.json')
        setattr(masks.tracks[4][0], name, value)
        shown = [getattr(masks.tracks[4][0], k) for k in ('video_id', 'id')]
        where = 'file sam.json, video {}, instance {}'.format(*shown)
        with refused('no annotation with this id', where):
            masks.validate(annotations())


@pytest.mark.parametrize(
    'changes', [dict(width=11), dict(height=9), dict(file_names=('a/0',))]
)
def test_other_frames_are_refused(changes):
    masks = changed_video(make_set('a.json'), **changes)
    match = 'size, length or frames differ from'
    with refused(f'{match} boxes.json', 'file a.json, video 4'):
        masks.validate(annotations())
    with refused(f'{match} b.json', 'file a.json, video 4'):
        masks.check_same_videos(make_set('b.json'))
    with refused(f'{match} b.json', 'file a.json, video 4'):
        list(join(dict(a=masks, b=make_set('b.json'))))


def test_other_videos_are_refused():
    masks = make_set('a.json')
    del masks.videos[0], masks.tracks[0]
    for one, two in ((masks, make_set('b')), (make_set('b'), masks)):
        with refused(r'videos \[0\] are only in one of', 'video 0'):
            one.check_same_videos(two)
        with refused(r'videos \[0\] are only in one of'):
            list(join(dict(one=one, two=two)))


def test_join_walks_over_videos_in_order():
    sam, flow = make_set('sam'), make_set('flow')
    flow.tracks[4] = flow.tracks[4][:1]
    found = list(join(dict(sam=sam, flow=flow)))
    assert [video.id for video, _ in found] == [4, 0]
    first, second = found[0][1], found[1][1]
    assert list(first) == [0, 7]  # by annotation id
    assert list(first[0]) == ['sam'] and list(first[7]) == ['sam', 'flow']
    assert first[7]['flow'] is flow.tracks[4][0]
    assert second == {3: dict(sam=sam.tracks[0][0], flow=flow.tracks[0][0])}
    assert list(join({})) == []


def test_merge_of_other_videos_and_instances():
    whole, left, right = make_set('a'), make_set('a'), make_set('b')
    left.tracks[4] = left.tracks[4][:1]
    del right.videos[0], right.tracks[0]
    right.tracks[4] = right.tracks[4][1:]
    merged = left.merge(right)
    assert list(merged.videos) == [0, 4]
    assert [track.id for track in merged.tracks[4]] == [0, 7]
    assert merged.num_masks == whole.num_masks == 4
    assert merged.source_counts() == dict(a=3, b=1)
    assert merged.name == 'a'
    merged.validate(annotations())
    # Neither input changes.
    assert [len(s.tracks[4]) for s in (left, right)] == [1, 1]


def test_merge_refuses_conflicts():
    one = make_set('a.json')
    with refused('instance is also in b.json', 'file a.json', 'instance 7'):
        one.merge(make_set('b.json'))
    other = PseudoMaskSet.empty_like(one, 'b.json')
    with refused('not the same video as in b.json', 'file a.json, video 4'):
        one.merge(changed_video(other, width=11))
    other = PseudoMaskSet.empty_like(one, 'b.json')
    other.categories = other.categories[:1]
    with refused('categories differ from b.json', 'file a.json'):
        one.merge(other)


def test_areas_are_those_of_the_masks():
    for item in make_set().to_json()['annotations']:
        for mask_, size in zip(item['segmentations'], item['areas']):
            assert size == (None if mask_ is None else area(mask_))
