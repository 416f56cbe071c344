import base64
import math
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from pmvis_mm.structures import (
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, FrameError, MaskSetError
from pmvis_mm.visualization.report import (
    flatten,
    format_number,
    format_percent,
    write_report,
)
from pmvis_mm.visualization.report_pictures import (
    TILE,
    iou_curves,
    score_histogram,
    source_colors,
    spread,
    track_strip,
)

HEIGHT, WIDTH, LENGTH = 40, 60, 4
BOX = (10.0, 10.0, 20.0, 20.0)
CATEGORIES = [dict(id=1, name='cat & dog'), dict(id=2, name='bird')]


def _rle(x0, y0, x1, y1):
    return box_rle((x0, y0, x1, y1), HEIGHT, WIDTH)


def _videos():
    return {
        key: VideoInfo(
            key,
            WIDTH,
            HEIGHT,
            tuple(f'v{key}/{t:05d}.png' for t in range(LENGTH)),
        )
        for key in (1, 2)
    }


@pytest.fixture
def annotations():
    """Video 1 has two tracks, video 2 none."""
    tracks = [BoxTrack(index, 1, index, [BOX] * LENGTH) for index in (1, 2)]
    return VideoAnnotations(_videos(), CATEGORIES, {1: tracks, 2: []}, 'b')


@pytest.fixture
def truth(annotations):
    real = [
        BoxTrack(t.id, 1, t.category_id, t.boxes, [_rle(*BOX)] * LENGTH)
        for t in annotations
    ]
    return VideoAnnotations(_videos(), CATEGORIES, {1: real, 2: []}, 'm')


def _set(annotations, name, widths, scores):
    """Masks that fill the first columns of the box: IoU = width / 10."""
    result = PseudoMaskSet.empty_like(annotations, name)
    for box_track in annotations:
        track = MaskTrack.empty_like(box_track)
        for t in range(LENGTH):
            width = widths[box_track.id]
            mask = _rle(10, 10, 10 + width, 20) if width else None
            track.set(t, mask, name, scores[box_track.id])
        result.tracks[1].append(track)
    return result


@pytest.fixture
def sources(annotations):
    return dict(
        wide=_set(annotations, 'wide', {1: 9, 2: 5}, {1: 0.3, 2: 0.8}),
        thin=_set(annotations, 'thin', {1: 2, 2: 7}, {1: 0.2, 2: 0.5}),
    )


@pytest.fixture
def final(annotations, sources):
    """Track 1 (IoU 0.9, score 0.3) and track 2 (IoU 0.5, score 0.8)."""
    result = PseudoMaskSet.empty_like(annotations, 'final')
    result.tracks[1] = [track.copy() for track in sources['wide']]
    return result


@pytest.fixture
def frames(tmp_path):
    (tmp_path / 'img/v1').mkdir(parents=True)
    for t in range(LENGTH):
        image = np.full((HEIGHT, WIDTH, 3), 60 * t, np.uint8)
        Image.fromarray(image).save(tmp_path / f'img/v1/{t:05d}.png')
    return str(tmp_path / 'img')


def _render(tmp_path, *args, **kwargs):
    path = tmp_path / 'report.html'
    write_report(path, *args, **kwargs)
    return path.read_text(encoding='utf-8')


def _rows(html, heading):
    """Cells of the table that follows a heading."""
    part = html[html.index(f'<h2>{heading}</h2>') :]
    part = part[: part.index('</table>')]
    rows = re.findall(r'<tr.*?</tr>', part, re.DOTALL)
    return [
        [cell.strip() for cell in re.findall(r'<td.*?>(.*?)</td>', row, re.S)]
        for row in rows
    ][1:]


def _decode(uri):
    data = base64.b64decode(uri.partition('base64,')[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


# -------------------------------------------------------------- write_report
def test_numbers_without_truth(tmp_path, final, sources, annotations, frames):
    html = _render(tmp_path, final, sources, annotations, frames)
    assert _rows(html, 'Sources') == [
        ['wide', '8', '100.0 %', '8', '100.0 %'],
        ['thin', '8', '100.0 %', '0', '0.0 %'],
        ['final', '8', '100.0 %', '8', '100.0 %'],
    ]
    # Mean score (0.3 + 0.8) / 2; the video without tracks comes last.
    assert _rows(html, 'Videos') == [
        ['1', 'v1', '4', '2', '8', '100.0 %', '0.550'],
        ['2', 'v2', '4', '0', '0', '–', '–'],
    ]
    # The lower score first, escaped, with its four frames.
    heads = re.findall(r'<h3>(.*?)</h3>', html)
    assert heads == ['cat &amp; dog 1', 'bird 2']
    assert html.count('<figure>') == 8
    # Nothing that only real masks can tell, and no empty columns for it.
    for absent in ('mean IoU', 'IoU ≥', 'Quality of the sources', 'magenta'):
        assert absent not in html


def test_numbers_with_truth(
    tmp_path, final, sources, annotations, truth, frames
):
    html = _render(tmp_path, final, sources, annotations, frames, truth)
    # wide: 0.9 and 0.5; thin: 0.2 and 0.7; the best of both: 0.9 and 0.7.
    quality = {row[0]: row[5:] for row in _rows(html, 'Sources')}
    assert quality == dict(
        wide=['70.0 %', '70.0 %', '100.0 %', '50.0 %', '50.0 %'],
        thin=['45.0 %', '45.0 %', '50.0 %', '0.0 %', '0.0 %'],
        final=['70.0 %', '70.0 %', '100.0 %', '50.0 %', '50.0 %'],
        oracle=['80.0 %', '80.0 %', '100.0 %', '50.0 %', '50.0 %'],
    )
    assert _rows(html, 'Videos')[0][7:] == [
        '70.0 %',
        '45.0 %',
        '70.0 %',
        '80.0 %',
    ]
    # Now the lower IoU comes first, although its score is higher.
    assert re.findall(r'<h3>(.*?)</h3>', html) == [
        'bird 2',
        'cat &amp; dog 1',
    ]
    assert html.count('IoU\n        0.500') == 4


def test_report_is_self_contained_and_repeatable(
    tmp_path, final, sources, annotations, truth, frames
):
    html = _render(tmp_path, final, sources, annotations, frames, truth)
    assert set(re.findall(r'src="(.{11})', html)) == {'data:image/'}
    assert not re.search(r'https?://|<link|<script|url\(', html)
    assert str(tmp_path) not in html
    again = _render(tmp_path, final, sources, annotations, frames, truth)
    assert html == again


def test_times_metrics_and_filters(tmp_path, final, sources, annotations):
    html = _render(
        tmp_path,
        final,
        sources,
        annotations,
        None,
        stage_times=[
            dict(stage='grabcut', seconds=12.5),
            dict(stage='shqm', seconds=0.25, videos=2),
        ],
        metrics={'segm_mAP': 0.12345},
        filter_stats={'ria': {'frames': 1200}},
    )
    assert _rows(html, 'Time per stage') == [
        ['grabcut', '12.500', '–'],
        ['shqm', '0.250', '2'],
    ]
    assert '<td>segm_mAP</td><td>0.123</td>' in html
    assert '<td>ria / frames</td><td>1,200</td>' in html
    # Without frames the tracks are listed, without pictures.
    assert '<h3>bird 2</h3>' in html and '<figure>' not in html


def test_tracks_without_any_mask_come_first(tmp_path, annotations, frames):
    final = _set(annotations, 'only', {1: 5, 2: 0}, {1: 0.1, 2: None})
    html = _render(tmp_path, final, {}, annotations, frames, num_worst=1)
    assert re.findall(r'<h3>(.*?)</h3>', html) == ['bird 2']
    assert '0 masks for 4\n      boxes' in html
    assert html.count('no mask') >= 4


@pytest.mark.parametrize('with_truth', [False, True])
def test_empty_sets(tmp_path, annotations, truth, with_truth):
    for tracks in (annotations, truth):
        tracks.tracks = {1: [], 2: []}
    final = PseudoMaskSet.empty_like(annotations)
    html = _render(
        tmp_path,
        final,
        dict(none=final),
        annotations,
        'nowhere',
        truth if with_truth else None,
    )
    assert 'No mask of the final set has a score.' in html
    assert 'There is no track with a score' in html
    assert _rows(html, 'Sources')[0][:5] == ['none', '0', '–', '0', '–']
    assert '<img' not in html


def test_tracks_without_scores(tmp_path, annotations, frames):
    final = _set(annotations, 'any', {1: 5, 2: 5}, {1: None, 2: None})
    html = _render(tmp_path, final, {}, annotations, frames)
    assert 'No mask of the final set has a score.' in html
    assert '<figure>' not in html


def test_bad_input_is_refused(tmp_path, final, sources, annotations, frames):
    path = tmp_path / 'report.html'
    with pytest.raises(FrameError, match=r'frame does not exist.*video 1'):
        write_report(path, final, sources, annotations, str(tmp_path))
    with pytest.raises(AnnotationError, match='no masks to compare with'):
        write_report(path, final, sources, annotations, frames, annotations)
    other = PseudoMaskSet({1: _videos()[1]}, CATEGORIES, {1: []})
    with pytest.raises(MaskSetError, match=r'videos \[2\] are only in one'):
        write_report(path, final, dict(other=other), annotations, frames)
    final.tracks[1][0].category_id = 2
    with pytest.raises(MaskSetError, match='no annotation with this id'):
        write_report(path, final, sources, annotations, frames)
    assert not path.exists()


# ------------------------------------------------------------------ pictures
def test_strip_shows_the_frames_around_the_box(final, truth, frames):
    reader = FrameReader(final.videos[1], frames)
    track = final.tracks[1][1]
    strip = track_strip(track, reader, truth.tracks[1][1])
    assert [tile['frame'] for tile in strip] == [0, 1, 2, 3]
    # 24 pixels around (15, 15), 7 times enlarged: columns 3 ... 26.
    for t, tile in enumerate(strip):
        image = _decode(tile['image']).astype(int)
        assert image.shape == (TILE, TILE, 3)
        corner = image[TILE - 5, TILE - 5]
        assert np.abs(corner - 60 * t).max() < 12
    # Mask: columns 10 ... 14, truth to 19; rows 10 ... 19. At row 15 the
    # yellow edge is at (10 - 3) * 7 = 49, the magenta one at 17 * 7 - 1.
    row = _decode(strip[0]['image'])[84].astype(int)
    yellow = np.minimum(row[:, 1], row[:, 2]) - row[:, 0]
    magenta = np.minimum(row[:, 0], row[:, 2]) - row[:, 1]
    assert set(np.flatnonzero(yellow > 100)) <= {
        *range(47, 52),
        *range(81, 86),
    }
    assert yellow[47:52].max() > 100 and yellow[81:86].max() > 100
    assert abs(int(magenta.argmax()) - 118) <= 1


def test_strip_beyond_the_border_is_grey(final, frames):
    track = MaskTrack(
        9, 1, 1, [None] * 4, [(0.0, 0.0, 4.0, 4.0)] + [None] * 3,
        [None] * 4, [None] * 4,
    )  # fmt: skip
    strip = track_strip(track, FrameReader(final.videos[1], frames))
    image = _decode(strip[0]['image'])
    # 24 pixels around (2, 2): the first 10 rows and columns are outside.
    assert (np.abs(image[:60].astype(int) - 235) < 8).all()
    assert (image[90:, 90:] < 12).all()


def test_strip_of_a_mask_without_box(final, frames):
    track = MaskTrack(
        9, 1, 1, [None, _rle(10, 10, 50, 38), None, None], [None] * 4,
        [None, 'flow', None, None], [None] * 4,
    )  # fmt: skip
    reader = FrameReader(final.videos[1], frames)
    strip = track_strip(track, reader)
    assert [tile['frame'] for tile in strip] == [1]
    track.masks = [None] * 4
    assert track_strip(track, reader) == []


def test_spread():
    assert spread([4, 7, 9], 6) == [4, 7, 9]
    assert spread(list(range(11)), 6) == [0, 2, 4, 6, 8, 10]
    assert spread([], 6) == []


def test_plots(final, sources, annotations):
    colors = source_colors(['wide', 'thin', 'wide'])
    assert list(colors) == ['wide', 'thin']
    image = _decode(score_histogram(final, colors))
    # Blue bars (0, 114, 178) for the first source, none of the second.
    assert (image == (178, 114, 0)).all(axis=2).sum() > 500
    assert not (image == (0, 159, 230)).all(axis=2).any()
    empty = PseudoMaskSet.empty_like(annotations)
    assert score_histogram(empty, {}) is None
    assert iou_curves({}, {}) is None


# --------------------------------------------------------------- small parts
@pytest.mark.parametrize(
    'value, text',
    [
        (None, '–'),
        (math.nan, '–'),
        (1234567, '1,234,567'),
        (0.12345, '0.123'),
        (1234.56, '1,234.6'),
        (np.float32(0.5), '0.500'),
        ('shqm', 'shqm'),
        (True, 'True'),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text


def test_format_percent():
    assert format_percent(0.1234) == '12.3 %'
    assert format_percent(math.nan) == format_percent(None) == '–'


def test_flatten():
    nested = {'a': {'b': 1, 'c': {'d': 2}}, 'e': 3}
    assert flatten(nested) == {'a / b': 1, 'a / c / d': 2, 'e': 3}
