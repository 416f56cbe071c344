"""Sections about the sources: Figures 2, 3 and 6 of PM-VIS from own data."""

import math
import re

import pytest

from pmvis_mm.evaluation.functional import measure_masks
from pmvis_mm.structures import (
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import ConfigError
from pmvis_mm.visualization.report import write_report
from pmvis_mm.visualization.report_sources import (
    MAX_AGREEMENT,
    agreement_table,
    annotation_counts,
    choice_chart,
    choice_rows,
    count_chart,
    iou_chart,
    iou_ranges,
    iou_rows,
)

LENGTH = 4
BOX = (0.0, 0.0, 10.0, 8.0)
VIDEOS = {1: VideoInfo(1, 20, 8, tuple(f'{t}.png' for t in range(LENGTH)))}
CATEGORIES = [dict(id=1, name='thing')]
STATS = dict(
    missing_data=dict(before=8, removed=2, instances_removed=0),
    other=dict(kept=1),
    version=3,
)


def columns(number):
    return box_rle((0, 0, number, 8), 8, 20) if number else None


def make_set(rows, sources=None, score=0.5):
    """Per track the width of the mask in every frame: IoU = width / 10."""
    result = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    for key, widths in enumerate(rows):
        track = MaskTrack.empty_like(BoxTrack(key, 1, 1, [BOX] * LENGTH))
        for t, width in enumerate(widths):
            source = sources[key][t] if sources else 'any'
            track.set(t, columns(width), source, score)
        result.tracks[1].append(track)
    return result


@pytest.fixture
def sources():
    return dict(
        one=make_set([[9, 9, 9, 0], [5, 5, 5, 5]]),
        two=make_set([[7, 7, 10, 3], [10, 6, 6, 6]]),
    )


@pytest.fixture
def final():
    return make_set(
        [[9, 9, 10, 3], [5, 6, 6, 6]],
        [['one', 'one', 'two', 'two'], ['one', 'two', 'two', 'two']],
    )


def boxes(masks=None):
    tracks = [
        BoxTrack(key, 1, 1, [BOX] * LENGTH, masks and [masks] * LENGTH)
        for key in (0, 1)
    ]
    return VideoAnnotations(VIDEOS, CATEGORIES, {1: tracks}, 'file')


@pytest.fixture
def truth():
    return boxes(columns(10))


@pytest.fixture
def qualities(sources, final, truth):
    sets = dict(sources, final=final)
    return {name: measure_masks(masks, truth) for name, masks in sets.items()}


def render(tmp_path, *args, **kwargs):
    path = tmp_path / 'report.html'
    write_report(path, *args, **kwargs)
    return path.read_text(encoding='utf-8')


def table(html, heading):
    part = html[html.index(f'<h2>{heading}</h2>') :]
    part = part[: part.index('</table>')]
    rows = re.findall(r'<tr.*?</tr>', part, re.DOTALL)
    cells = [re.findall(r'<td.*?>(.*?)</td>', row, re.S) for row in rows]
    return [[cell.strip() for cell in row] for row in cells][1:]


# ------------------------------------------------------------------ counts
def test_figure_6_counts_of_every_stage(sources, final):
    rows = annotation_counts(final, sources, boxes(), STATS)
    assert [(row['name'], row['count'], row['share']) for row in rows] == [
        ('annotated boxes', 8, 1),
        ('one', 7, 7 / 8),
        ('two', 8, 1),
        ('final', 8, 1),
        ('after missing_data', 6, 0.75),
    ]
    chart = str(count_chart(rows))
    assert chart.count('<rect') == 5
    assert '>7 (−12.5 %)<' in chart and '>6 (−25.0 %)<' in chart
    assert '>8<' in chart  # nothing missing, nothing said
    assert 'width="620.00"' in chart and 'width="465.00"' in chart


def test_no_boxes_no_counts(final):
    nothing = VideoAnnotations(VIDEOS, CATEGORIES, {1: []}, 'file')
    empty = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    rows = annotation_counts(empty, {}, nothing, {})
    assert [row['count'] for row in rows] == [0, 0]
    assert all(math.isnan(row['share']) for row in rows)
    assert count_chart(rows) is None and count_chart([]) is None


# --------------------------------------------------------------------- IoU
def test_figure_2_distribution(qualities):
    assert iou_ranges() == [
        '< 0.5', '0.5–0.6', '0.6–0.7', '0.7–0.8', '0.8–0.9', '0.9–1',
    ]  # fmt: skip
    rows = iou_rows(qualities)
    assert rows['one'].missing == 1
    assert rows['one'].counts == [0, 4, 0, 0, 0, 3]
    assert rows['two'].counts == [1, 0, 3, 2, 0, 2]
    chart = str(iou_chart(rows))
    assert '<title>IoU 0.9–1: 37.5 %</title>' in chart
    assert '<title>no mask: 12.5 %</title>' in chart
    assert '25.0 % from 0.9 on' in chart
    assert iou_rows({}) == {} and iou_chart({}) is None


# ----------------------------------------------------------------- choices
def test_choices_without_and_with_real_masks(sources, final, qualities):
    two, one = choice_rows(final, list(sources), {})
    assert (two['name'], two['masks'], two['share']) == ('two', 5, 5 / 8)
    assert (one['name'], one['score'], one['quality']) == ('one', 0.5, None)
    two, one = choice_rows(final, list(sources), qualities)
    # 1.0, 0.3, and three times 0.6: each the best that there was.
    assert two['quality'].miou == pytest.approx(0.62)
    assert two['quality'].hits == 1
    # 0.9 twice; 0.5 where two had 1.0.
    assert one['quality'].miou == pytest.approx((0.9 + 0.9 + 0.5) / 3)
    assert one['quality'].best == pytest.approx((0.9 + 0.9 + 1.0) / 3)
    assert one['quality'].hits == pytest.approx(2 / 3)
    chart = str(choice_chart([two, one], dict(one='#0072b2', two='#e69f00')))
    assert '<title>two: 62.5 %</title>' in chart
    assert choice_chart([], {}) is None


def test_choices_without_scores():
    (row,) = choice_rows(make_set([[1, 1, 1, 1]], score=None), ['any'], {})
    assert math.isnan(row['score']) and row['share'] == 1


# --------------------------------------------------------------- agreement
def test_agreement_of_sources(sources):
    found = agreement_table(sources)
    assert found['names'] == ['one', 'two']
    diagonal, cell = found['rows'][0]['cells']
    assert diagonal['value'] is None and diagonal['style'] == ''
    # Frames 0 ... 2 and all of the other track.
    ious = [7 / 9, 7 / 9, 9 / 10, 5 / 10, 5 / 6, 5 / 6, 5 / 6]
    assert cell['value'] == pytest.approx(sum(ious) / 7)
    assert cell['count'] == 7
    assert cell['style'] == 'background: rgba(10, 90, 156, 0.78); color: #fff'


def test_agreement_needs_two_that_meet(sources):
    assert agreement_table({}) is None
    assert agreement_table(dict(one=sources['one'])) is None
    empty = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    assert agreement_table(dict(one=sources['one'], none=empty)) is None
    found = agreement_table(dict(sources, none=empty))
    assert math.isnan(found['rows'][0]['cells'][2]['value'])
    assert found['rows'][0]['cells'][2]['style'] == ''
    many = {str(n): sources['one'] for n in range(MAX_AGREEMENT + 3)}
    assert len(agreement_table(many)['names']) == MAX_AGREEMENT


# ------------------------------------------------------------- whole report
def test_report_with_real_masks(tmp_path, sources, final, truth):
    html = render(
        tmp_path, final, sources, boxes(), None, truth, filter_stats=STATS
    )
    quality = {
        row[0]: row[1:] for row in table(html, 'Quality of the sources')
    }
    assert list(quality) == ['one', 'two', 'final', 'oracle']
    assert quality['one'] == [
        '8', '12.5 %', '0.0 %', '50.0 %', '0.0 %', '0.0 %', '0.0 %', '37.5 %',
    ]  # fmt: skip
    assert table(html, 'What the selector chose') == [
        ['two', '5', '62.5 %', '0.500', '5', '62.0 %', '20.0 %', '62.0 %',
         '100.0 %'],
        ['one', '3', '37.5 %', '0.500', '3', '76.7 %', '66.7 %', '93.3 %',
         '66.7 %'],
    ]  # fmt: skip
    assert table(html, 'Agreement of the sources') == [
        ['one', '–', '77.9 %'],
        ['two', '77.9 %', '–'],
    ]
    assert html.count('<svg') == 3 and 'after missing_data' in html
    # Mean IoU (0.9 + 0.9 + 1.0 + 0.3) / 4 and (0.5 + 3 * 0.6) / 4.
    assert [row[-1] for row in table(html, 'Suspicious tracks')] == [
        '77.5 %',
        '57.5 %',
    ]


def test_report_without_real_masks(tmp_path, sources, final):
    html = render(tmp_path, final, sources, boxes(), None)
    assert 'Quality of the sources' not in html and html.count('<svg') == 2
    assert table(html, 'What the selector chose') == [
        ['two', '5', '62.5 %', '0.500'],
        ['one', '3', '37.5 %', '0.500'],
    ]
    assert 'Agreement of the sources' in html
    assert [row[0] for row in table(html, 'Suspicious tracks')] == ['0', '1']


def test_report_of_one_source(tmp_path, sources, truth):
    one = dict(any=sources['one'])
    html = render(tmp_path, sources['one'], one, boxes(), None, truth)
    assert 'Agreement of the sources' not in html
    (row,) = table(html, 'What the selector chose')
    assert row[:3] == ['any', '7', '100.0 %'] and row[-1] == '100.0 %'


def test_report_of_an_empty_source(tmp_path, final, truth):
    empty = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    html = render(tmp_path, final, dict(e=empty), boxes(), None, truth)
    quality = {
        row[0]: row[1:] for row in table(html, 'Quality of the sources')
    }
    assert quality['e'] == ['8', '100.0 %'] + ['0.0 %'] * 6
    assert 'Agreement of the sources' not in html
    html = render(tmp_path, empty, dict(e=empty), boxes(), None, truth)
    assert 'There is no mask in the final set.' in html
    assert '0 (−100.0 %)' in html


def test_report_without_scores(tmp_path, truth):
    final = make_set([[9, 9, 9, 9], [5, 5, 5, 5]], score=None)
    html = render(tmp_path, final, {}, boxes(), None, truth)
    assert 'There is no track with a score' in html
    # Real masks still tell which tracks to look at.
    assert re.findall(r'<h3>(.*?)</h3>', html) == ['thing 1', 'thing 0']


def test_tracks_are_sorted_as_asked(tmp_path, truth):
    final = make_set([[9, 9, 9, 9], [5, 5, 5, 5]])
    final.tracks[1][0].scores = [0.1] * LENGTH

    def heads(**kwargs):
        html = render(tmp_path, final, {}, boxes(), None, **kwargs)
        return re.findall(r'<h3>(.*?)</h3>', html)

    assert heads(truth=truth) == ['thing 1', 'thing 0']
    assert heads(truth=truth, sort_by='suspicion') == ['thing 0', 'thing 1']
    assert heads() == ['thing 0', 'thing 1']
    with pytest.raises(ConfigError, match="sort_by='score' is unknown"):
        heads(sort_by='score')
    with pytest.raises(ConfigError, match="sort_by='iou' needs real masks"):
        heads(sort_by='iou')


def test_names_cannot_break_out(tmp_path, final, sources):
    html = render(tmp_path, final, {'<b>"': sources['one']}, boxes(), None)
    assert '<b>"' not in html and '&lt;b&gt;&#34;' in html
