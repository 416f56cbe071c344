"""import(export(x)) = x within the limits of each format.

========== =======================================================
format     what does not come back
========== =======================================================
json       tracks without a mask (counted); boxes to 0.0001 pixels
results    ids, crowds, scores of frames; boxes other than tight
           ones; sizes and names come from the annotation file
coco_video ids below 1 (all are shifted); videos keep their ids
csv        masks, crowds, sizes, names of frames, videos without
           tracks; ids below 1 (all are shifted)
mots       pixels where masks overlap; ids if one is below 1 or
           beyond 999 (numbered anew in each video); names of
           classes; which crowd is which; scores; names of frames
mot        masks, names of frames, scores (style='gt') or classes
           (style='results'); ids if one is below 1 (numbered anew)
png        pixels where masks overlap; ids if one is below 1 or
           beyond 254 (numbered anew in each video); classes; which
           crowd is which; scores
cvat       crowds, scores, names of frames; ids if one is below 1
           (numbered anew); shape='polygon': pixels within the
           tolerance (1: IoU of at least 0.9 on DAVIS, 0.7 for
           masks of 5 x 5 pixels; 0: none); 'mask': none; 'box':
           masks
========== =======================================================

Boxes are those of the source, also where they are not tight, in json,
coco_video, csv, mot and cvat with shape='box'; elsewhere those of the masks.
"""

import json
from pathlib import Path

import pytest

from pmvis_mm.formats import export_set, load_source
from pmvis_mm.formats.readers import import_annotations
from pmvis_mm.formats.readers.sniffing import guess_reader
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.rle import area
from pmvis_mm.testing.odd_dataset import odd_dataset, write_odd_frames
from pmvis_mm.testing.round_trips import (
    changed,
    facts,
    flattened,
    mask_ious,
    numbered,
    renumbered,
    tight,
)

DEFAULT = 'object'  # class of those that come back without


# -------------------------------------------------------- the formats' way
def as_json(x):
    return facts(x)


def as_results(x):
    x = renumbered(tight(x), lambda entry, place: place)
    return facts(changed(x, iscrowd=0))


def as_coco(x):
    shift = 1 - min(1, *(e['id'] for e in x['annotations']))
    return facts(renumbered(x, lambda entry, place: entry['id'] + shift))


def as_csv(x):
    shift = 1 - min(1, *(e['id'] for e in x['annotations']))
    x = renumbered(x, lambda entry, place: entry['id'] + shift)
    result = facts(changed(x, iscrowd=0), masks=False)
    return {names: v for names, v in result.items() if v[1]}


def as_mots(x):
    order = [c['id'] for c in x['categories']]
    x = numbered(
        tight(flattened(x)),
        999,
        lambda entry, place: (
            10000
            if entry['iscrowd']
            else 1000 * (order.index(entry['category_id']) + 1) + place
        ),
    )
    return without_class(facts(x), of_crowds=True)


def as_png(x):
    x = numbered(
        tight(flattened(x)),
        254,
        lambda entry, place: 255 if entry['iscrowd'] else place,
    )
    return without_class(facts(x))


def as_mot(x):
    return facts(numbered(x, 2**53), masks=False)


def as_cvat(x):
    return facts(changed(numbered(tight(x), 2**53), iscrowd=0))


def as_cvat_box(x):
    x = numbered(x, 2**53)
    return facts(changed(x, iscrowd=0), masks=False)


def without_class(result, of_crowds=False):
    for _, tracks in result.values():
        for track in tracks.values():
            if track['iscrowd'] or not of_crowds:
                track['category'] = DEFAULT
    return result


NAMES = ['big dög', 'cat', 'nobody']
# Format, options of the writer, reader, its options, what is expected.
_FRAMES = dict(layout='sequences', first_frame=0)
_NAMED = dict(class_names=NAMES)
_BOXES = dict(ignored='crowd', class_names=NAMES)
_EXACT = dict(shape='polygon', tolerance=0)
_JOIN = dict(join_groups=True)
WAYS = {
    'json': ('json', {}, 'youtube_vis', {}, as_json),
    'results': ('results', {}, 'youtube_vis', {}, as_results),
    'coco_video': ('coco_video', {}, 'coco_video', {}, as_coco),
    'csv': ('csv', {}, 'csv', {}, as_csv),
    'mots': ('mots', {}, 'mots', _NAMED, as_mots),
    'mots-sequences': ('mots', _FRAMES, 'mots', _NAMED, as_mots),
    'png': ('png', {}, 'davis', {}, as_png),
    'mot': ('mot', {}, 'mot', dict(ignored='crowd'), as_mot),
    'mot-files': ('mot', dict(layout='files'), 'mot', _BOXES, as_mot),
    'cvat-mask': ('cvat', dict(shape='mask'), 'cvat', _JOIN, as_cvat),
    'cvat-exact': ('cvat', _EXACT, 'cvat', _JOIN, as_cvat),
    'cvat-box': ('cvat', dict(shape='box'), 'cvat', {}, as_cvat_box),
}


@pytest.fixture(params=[True, False], ids=['overlaps', 'disjoint'])
def odd(request, tmp_path):
    content = odd_dataset(request.param)
    path = tmp_path / 'späß und mehr.json'
    path.write_text(json.dumps(content), encoding='utf-8')
    write_odd_frames(tmp_path / 'frames', content)
    return content, path, tmp_path


def back(way, path, frames, out, **kwargs):
    """Export a file and import the export."""
    format, options, reader, reader_options, _ = WAYS[way]
    out.parent.mkdir(exist_ok=True)
    report = export_set(load_source(path), format, out, options=options)
    if format == 'results':
        reader_options = dict(ann_file=str(path))
    content, _ = import_annotations(
        out,
        reader,
        frames=frames,
        first_frame=options.get('first_frame'),
        reader_options=reader_options,
        with_masks=kwargs.pop('with_masks', True),
        default_class=DEFAULT,
        **kwargs,
    )
    return content, report


def out_of(way, folder):
    suffix = dict(csv='.csv').get(way, '.json')
    one_file = way in ('json', 'results', 'coco_video', 'csv')
    return folder / way / ('aus gabe' + (suffix if one_file else ''))


@pytest.mark.parametrize('way', WAYS)
def test_generated_data_comes_back(odd, way):
    content, path, folder = odd
    again, report = back(way, path, folder / 'frames', out_of(way, folder))
    assert facts(again) == WAYS[way][-1](content)
    assert report.counts['tracks'] == 6
    assert report.counts['videos'] == 3
    whole = pixels(content) - pixels(flattened(content))
    kept = whole if WAYS[way][0] in ('mots', 'png') else 0
    assert report.lost == (
        {'pixels where masks overlap': kept} if kept else {}
    )


@pytest.mark.parametrize('way', WAYS)
def test_exports_are_recognised(odd, way):
    _, path, folder = odd
    out = out_of(way, folder)
    out.parent.mkdir(exist_ok=True)
    export_set(load_source(path), WAYS[way][0], out, options=WAYS[way][1])
    assert guess_reader(out) == WAYS[way][2]


def pixels(content):
    return sum(
        area(rle)
        for entry in content['annotations']
        for rle in entry['segmentations']
        if rle
    )


# ------------------------------------------------------------ other data
@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    from pmvis_mm.datasets.shapes_vis import write_shapes_vis

    root = tmp_path_factory.mktemp('shapes')
    write_shapes_vis(root, num_videos=3, num_frames=5, size=(48, 64), seed=3)
    return root / 'instances.json', root / 'JPEGImages'


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    root = Path(__file__).parents[3] / 'shared/data/davis_mini'
    if not (root / 'instances.json').is_file():
        pytest.skip('no davis_mini in the folder "shared" beside the checkout')
    return root / 'instances.json', root / 'JPEGImages'


# Smallest and mean IoU that polygons of tolerance 1 must have.
@pytest.mark.parametrize(
    'data, least, mean', [('shapes', 0.7, 0.9), ('davis', 0.9, 0.97)]
)
def test_polygons_stay_within_their_tolerance(
    request, tmp_path, data, least, mean
):
    path, frames = request.getfixturevalue(data)
    out = tmp_path / 'out'
    export_set(load_source(path), 'cvat', out, options=dict(tolerance=1.0))
    again, _ = import_annotations(
        out,
        'cvat',
        frames=frames,
        reader_options=dict(join_groups=True),
        with_masks=True,
    )
    found = mask_ious(as_cvat(json.loads(path.read_text())), facts(again))
    assert len(found) > 20
    assert found.min() >= least and found.mean() >= mean


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('data', ['shapes', 'davis'])
def test_data_of_datasets_comes_back(
    request, monkeypatch, tmp_path, data, way
):
    path, frames = request.getfixturevalue(data)
    content = json.loads(path.read_text())
    if 'class_names' in WAYS[way][3]:
        names = [c['name'] for c in content['categories']]
        monkeypatch.setitem(WAYS[way][3], 'class_names', names)
    again, _ = back(way, path, frames, out_of(way, tmp_path))
    assert facts(again) == WAYS[way][-1](content)


# --------------------------------------------------- pseudo masks, results
@pytest.fixture
def mask_set(tmp_path):
    """Sources, scores, and a frame of which only the box is known."""
    content = odd_dataset()
    entry = content['annotations'][4]
    entry['sources'] = ['sam', 'flow', None, 'sam', 'sam']
    entry['scores'] = [0.25, None, None, 1.0, 0.5]
    entry['annotated_bboxes'] = [*entry['bboxes'][:2], [1, 2, 3.5, 4], None,
                                 entry['bboxes'][4]]  # fmt: skip
    entry['annotated_bboxes'][3] = entry['bboxes'][3]
    path = tmp_path / 'set.json'
    PseudoMaskSet.from_json(content, 'set').dump(path)
    return path


def test_a_mask_set_comes_back_whole(mask_set, tmp_path):
    out = tmp_path / 'out.json'
    report = export_set(load_source(mask_set), 'json', out)
    old, new = PseudoMaskSet.load(mask_set), PseudoMaskSet.load(out)
    assert new.videos == old.videos and new.categories == old.categories
    assert sorted(new, key=lambda t: t.id) == sorted(old, key=lambda t: t.id)
    assert report.counts == dict(videos=3, tracks=6, masks=17, boxes=1)


@pytest.mark.parametrize(
    'format, lost',
    [
        ('coco_video', {'boxes without a mask': 1}),
        ('results', {'boxes without a mask': 1}),
        ('csv', {}),
        ('mot', {}),
        ('cvat', {}),
        ('png', {'boxes without a mask': 1}),
    ],
)
def test_boxes_without_a_mask_are_kept_or_counted(
    mask_set, tmp_path, format, lost
):
    out = out_of(format, tmp_path)
    report = export_set(load_source(mask_set), format, out)
    found = {k: n for k, n in report.lost.items() if 'overlap' not in k}
    assert found == lost
    if format == 'csv':
        pandas = pytest.importorskip('pandas')
        table = pandas.read_csv(out)
        (row,) = table[table['area'].isna()].to_dict('records')
        box = [row[k] for k in ('x0', 'y0', 'x1', 'y1')]
        assert box == [1, 2, 4.5, 6] and row['frame'] == 2
        assert row['video'] == 'MOT-02' and len(table) == 18


def test_scores_come_back(mask_set, tmp_path):
    for way in ('json', 'coco_video', 'csv'):
        again, _ = back(way, mask_set, None, out_of(way, tmp_path),
                        invent_names=True, size=None if way != 'csv'
                        else (40, 30))  # fmt: skip
        scored = [e['scores'] for e in again['annotations'] if 'scores' in e]
        (scores,) = scored
        assert [s for s in scores if s is not None] == [0.25, 1.0, 0.5]


def test_results_come_back(odd, tmp_path):
    content, path, _ = odd
    first, second = content['annotations'][1], content['annotations'][4]
    results = [
        dict(
            video_id=entry['video_id'],
            category_id=category,
            score=score,
            segmentations=entry['segmentations'],
        )
        for entry, category, score in (
            (first, 4, 0.75),
            (first, 90, 0.5),  # one track of two classes
            (second, 2, 0.125),
            (first, 4, 0.0625),  # not a neighbour: another track
        )
    ]
    file = tmp_path / 'results.json'
    file.write_text(json.dumps(results))
    source = load_source(file, path)
    assert [len(source.read(key)) for key in (7, 3, 12)] == [2, 1, 0]
    export_set(source, 'results', tmp_path / 'again.json')
    again = json.loads((tmp_path / 'again.json').read_text())
    order = [results[0], results[1], results[3], results[2]]  # by video
    assert again == order
    report = export_set(
        source, 'json', tmp_path / 'set.json', score_thr=0.0625
    )
    assert report.counts['tracks'] == 3
    made = PseudoMaskSet.load(tmp_path / 'set.json')
    assert [(t.id, t.category_id) for t in made] == [(1, 4), (3, 4), (2, 2)]
    assert made.tracks[3][0].scores == [0.125, 0.125, None, 0.125, 0.125]


def test_boxes_only_come_back(odd, tmp_path):
    content, _, folder = odd
    boxes = dict(content, annotations=[
        {k: v for k, v in e.items() if k not in ('segmentations', 'areas')}
        for e in content['annotations']
    ])  # fmt: skip
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(boxes))
    for way in ('json', 'coco_video', 'csv', 'mot', 'cvat-box'):
        again, report = back(
            way, path, folder / 'frames', out_of(way, tmp_path)
        )
        assert facts(again) == WAYS[way][-1](boxes)
        assert report.counts['boxes'] == 17 and not report.lost
        if way in ('json', 'coco_video'):
            text = out_of(way, tmp_path).read_text()
            assert 'segmentation' not in text and 'counts' not in text


def test_frames_of_a_video_file(odd, tmp_path):
    """Names such as 'clip.mp4#3' are no names of files."""
    content, _, _ = odd
    video = content['videos'][1]
    video['file_names'] = [f'deep/clip.mp4#{t}' for t in range(5)]
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    out = tmp_path / 'out'
    export_set(load_source(path), 'png', out, videos=['deep/clip'])
    assert sorted(p.name for p in (out / 'clip').iterdir()) == [
        f'{t:05d}.png' for t in range(5)
    ]
    again, _ = back('coco_video', path, None, tmp_path / 'coco.json')
    assert facts(again) == as_coco(content)


# --------------------------------------------------- what would go unsaid
@pytest.fixture
def with_nothing(tmp_path):
    """One mask in two videos; a track without frames in the second."""
    content = odd_dataset()
    first, second = content['videos'][:2]
    content['videos'] = [first, second]
    lengths = [len(v['file_names']) for v in content['videos']]
    masked = next(
        a for a in content['annotations'] if a['video_id'] == first['id']
    )
    empty = [None] * lengths[1]
    nothing = dict(
        masked, id=777, video_id=second['id'], bboxes=empty,
        segmentations=empty, areas=empty, length=lengths[1],
        width=second['width'], height=second['height'],
    )  # fmt: skip
    nothing.pop('interpolated', None)
    content['annotations'] = [masked, nothing]
    path = tmp_path / 'nothing.json'
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ('format', 'lost'),
    [
        ('csv', {'tracks without a box': 1}),
        ('cvat', {'tracks without a box': 1}),
        ('mot', {'tracks without a box': 1}),
        ('coco_video', {'tracks without a mask': 1}),
    ],
)
def test_what_holds_nothing_is_counted(with_nothing, tmp_path, format, lost):
    report = export_set(load_source(with_nothing), format, tmp_path / 'out')
    assert report.lost == lost


@pytest.mark.parametrize(
    ('shape', 'remark'),
    [
        ('polygon', 'a tolerance of 1 pixels'),
        ('box', 'masks are written as boxes'),
        ('mask', None),
    ],
)
def test_cvat_says_what_masks_become(mask_set, tmp_path, shape, remark):
    report = export_set(
        load_source(mask_set), 'cvat', tmp_path / 'o', options={'shape': shape}
    )
    found = [note for note in report.notes if note.startswith('masks are')]
    assert len(found) == (remark is not None)
    assert all(remark in note for note in found)
