"""import(export(x)) = x within the limits of each format.

========== ======================================================= =========
format     what does not come back                                 boxes
========== ======================================================= =========
json       nothing (boxes to 0.0001 pixels); tracks without a mask given
results    ids, crowds; scores of frames; sizes, names: from the   tight
           annotation file
coco_video ids below 1 (all are shifted)                           given
csv        masks, crowds, sizes, frame names, videos without       given
           tracks; ids below 1 (all are shifted)
mots       pixels of overlaps; ids beyond 999 (numbered anew per   tight
           video); class names; single crowds of a frame; scores
mot        masks, names of frames; ids below 1 (numbered anew)     given
png        pixels of overlaps; ids beyond 254 (numbered anew per   tight
           video); classes; single crowds of a frame; scores
cvat       crowds, scores, names of frames; ids below 1 (numbered  tight;
           anew); shape=polygon: pixels within the tolerance       box:
           (IoU >= 0.9 here for large masks, tolerance 1),         given
           exact with 0; shape=mask exact; shape=box: no masks
========== ======================================================= =========
"""

import json
from pathlib import Path

import numpy as np
import pytest

from pmvis_mm.formats import export_set, load_source
from pmvis_mm.formats.readers import import_annotations
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.rle import (
    area,
    decode,
    encode,
    from_any,
    mask_iou,
    tight_boxes,
)
from pmvis_mm.testing.odd_dataset import odd_dataset, write_odd_frames

DEFAULT = 'object'  # class of those that come back without


# ------------------------------------------------------------- comparing
def facts(content, masks=True):
    """Everything of a dataset by frame names and source ids."""
    names = {c['id']: c['name'] for c in content['categories']}
    result = {}
    for video in content['videos']:
        tracks = {}
        for entry in content['annotations']:
            if entry['video_id'] != video['id']:
                continue
            rles = entry.get('segmentations') or [None] * video['length']
            rles = [from_any(m, video['height'], video['width']) for m in rles]
            tracks[entry.get('source_id', entry['id'])] = dict(
                category=names[entry['category_id']],
                iscrowd=entry.get('iscrowd', 0),
                boxes={
                    t: tuple(np.round([*box[:2], box[0] + box[2],
                                       box[1] + box[3]], 3))
                    for t, box in enumerate(entry['bboxes']) if box
                },
                masks={t: m['counts'] for t, m in enumerate(rles) if m}
                if masks
                else {},
            )  # fmt: skip
        size = (video['width'], video['height'])
        result[tuple(video['file_names'])] = (size, tracks)
    return result


def numbered(content, limit, key=lambda entry, number: number):
    """Ids as formats keep them if all fit, else places in the video."""
    ids = [e['id'] for e in content['annotations']]
    if limit < 1000:  # there crowds have no number of their own
        ids = [e['id'] for e in content['annotations'] if not e['iscrowd']]
    fit = all(1 <= number <= limit for number in ids)
    return renumbered(
        content,
        lambda entry, place: key(entry, entry['id'] if fit else place),
    )


def renumbered(content, key):
    """The same with other ids; ``key`` makes them of track and place."""
    entries = sorted(content['annotations'], key=lambda e: e['id'])
    places = {}
    made = []
    for entry in entries:
        place = places[entry['video_id']] = (
            places.get(entry['video_id'], 0) + 1
        )
        made.append(dict(entry, source_id=key(entry, place)))
    return dict(content, annotations=made)


def changed(content, **values):
    """The same with other values in all annotations."""
    entries = [dict(e, **values) for e in content['annotations']]
    return dict(content, annotations=entries)


def tight(content):
    """The same with the boxes of the masks."""
    entries = []
    for entry in content['annotations']:
        boxes = []
        for rle, (x0, y0, x1, y1) in zip(
            entry['segmentations'], tight_boxes(entry['segmentations'])
        ):
            boxes.append(rle and [x0, y0, x1 - x0, y1 - y0])
        entries.append(dict(entry, bboxes=boxes))
    return dict(content, annotations=entries)


def flattened(content):
    """The same without overlaps: the lower id keeps a pixel, crowds last."""
    taken = {}
    entries = []
    order = sorted(
        content['annotations'], key=lambda e: (e['iscrowd'], e['id'])
    )
    for entry in order:
        rles = []
        for t, rle in enumerate(entry['segmentations']):
            if rle is not None:
                mask = decode(rle)
                used = taken.setdefault(
                    (entry['video_id'], t), np.zeros(mask.shape, bool)
                )
                mask = mask & ~used
                used |= mask
                rle = encode(mask) if mask.any() else None
            rles.append(rle)
        entries.append(dict(entry, segmentations=rles))
    return dict(content, annotations=entries)


def number_of(content):
    """Class number that MOTS gives: the place of the category, from 1."""
    order = [c['id'] for c in content['categories']]
    return lambda entry: order.index(entry['category_id']) + 1


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
    number = number_of(x)
    x = numbered(
        tight(flattened(x)),
        999,
        lambda entry, place: 10000
        if entry['iscrowd']
        else number(entry) * 1000 + place,
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
WAYS = {
    'json': ('json', {}, 'youtube_vis', {}, as_json),
    'results': ('results', {}, 'youtube_vis', {}, as_results),
    'coco_video': ('coco_video', {}, 'coco_video', {}, as_coco),
    'csv': ('csv', {}, 'csv', {}, as_csv),
    'mots': ('mots', {}, 'mots', dict(class_names=NAMES), as_mots),
    'mots-sequences': (
        'mots',
        dict(layout='sequences', first_frame=0),
        'mots',
        dict(class_names=NAMES),
        as_mots,
    ),
    'png': ('png', {}, 'davis', {}, as_png),
    'mot': ('mot', {}, 'mot', dict(ignored='crowd'), as_mot),
    'mot-files': (
        'mot',
        dict(layout='files'),
        'mot',
        dict(ignored='crowd', class_names=NAMES),
        as_mot,
    ),
    'cvat-mask': (
        'cvat',
        dict(shape='mask'),
        'cvat',
        dict(join_groups=True),
        as_cvat,
    ),
    'cvat-exact': (
        'cvat',
        dict(shape='polygon', tolerance=0),
        'cvat',
        dict(join_groups=True),
        as_cvat,
    ),
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
    return folder / ('aus gabe' + (suffix if one_file else ''))


@pytest.mark.parametrize('way', WAYS)
def test_generated_data_comes_back(odd, way):
    content, path, folder = odd
    again, report = back(way, path, folder / 'frames', out_of(way, folder))
    assert facts(again) == WAYS[way][-1](content)
    assert report.counts['tracks'] == 6
    assert report.counts['videos'] == 3
    whole = pixels(content) - pixels(flattened(content))
    kept = whole if WAYS[way][0] in ('mots', 'png') else 0
    assert report.lost == ({'pixels where masks overlap': kept} if kept else {})


def pixels(content):
    return sum(
        area(rle)
        for entry in content['annotations']
        for rle in entry['segmentations']
        if rle
    )


# ------------------------------------------------------------ other data
def ious(first, second):
    """IoU of all masks of two datasets with the same tracks."""
    values = []
    for names, (_, tracks) in first.items():
        for key, track in tracks.items():
            other = second[names][1][key]
            assert track['masks'].keys() == other['masks'].keys()
            width, height = first[names][0]
            for t, counts in track['masks'].items():
                pair = [
                    [dict(size=[height, width], counts=c)]
                    for c in (counts, other['masks'][t])
                ]
                values.append(mask_iou(*pair)[0, 0])
    return np.array(values)


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
    'data, least, mean', [('shapes', 0.9, 0.95), ('davis', 0.8, 0.95)]
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
    found = ious(as_cvat(json.loads(path.read_text())), facts(again))
    print(data, found.min(), found.mean())
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
