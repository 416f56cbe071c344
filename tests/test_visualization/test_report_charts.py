"""Inline bars: geometry, legend, and nothing that can break out."""

from xml.etree import ElementTree

import pytest

from pmvis_mm.visualization.report_charts import Bar, Piece, bar_chart

BLUE, PALE = '#0a5a9c', '#f6dcae'
# 1000 wide, 190 for names and as much for notes: bars are 620.
SCALE = 620


def parse(chart):
    root = ElementTree.fromstring(str(chart))
    assert root.tag == 'svg'
    return root


def pieces(root):
    return [r for r in root.iter('rect') if r.find('title') is not None]


def test_pieces_lie_side_by_side():
    bars = [
        Bar('one', [Piece(0.25, BLUE, 'good'), Piece(0.75, PALE, 'bad')]),
        Bar('two', [Piece(0.0, BLUE, 'good'), Piece(0.02, PALE, 'bad')], 'x'),
    ]
    root = parse(bar_chart(bars, 'what it shows'))
    assert root.get('aria-label') == 'what it shows'
    assert root.get('viewBox') == '0 0 1000 90'  # a legend and two rows
    first, second, third = pieces(root)  # nothing is drawn for 0
    assert float(first.get('x')) == 190
    assert float(first.get('width')) == SCALE / 4
    assert float(second.get('x')) == 190 + SCALE / 4
    assert first.get('y') == second.get('y') < third.get('y')
    assert float(third.get('width')) == pytest.approx(0.02 * SCALE)
    assert first.find('title').text == 'good: 25.0 %'
    texts = [''.join(text.itertext()) for text in root.iter('text')]
    # The narrow piece has no room for its number.
    assert texts == ['good', 'bad', 'one', '25', '75', 'two', 'x']
    inks = {t.text: t.get('fill') for t in root.iter('text')}
    assert inks['25'] == '#ffffff' and inks['75'] == '#1f2937'


def test_legend_and_numbers_can_be_left_out():
    bars = [Bar('one', [Piece(0.5, BLUE, 'good')])]
    root = parse(bar_chart(bars, '', legend=False, percentages=False))
    assert root.get('viewBox') == '0 0 1000 30'
    assert [t.text for t in root.iter('text')] == ['one']


def test_a_long_legend_takes_more_lines():
    many = [Piece(0.1, BLUE, f'source number {n}') for n in range(10)]
    root = parse(bar_chart([Bar('all', many)], ''))
    legend = [r for r in root.iter('rect') if r.find('title') is None]
    assert len(legend) == 10
    assert len({r.get('y') for r in legend}) == 2
    assert root.get('viewBox') == '0 0 1000 90'
    ends = [float(t.get('x')) for t in root.iter('text')]
    assert max(ends) < 1000


def test_names_are_escaped_and_shortened():
    name = '<b>&"' + 'x' * 40
    root = parse(bar_chart([Bar(name, [Piece(1.0, BLUE, name)])], name))
    legend, label, _ = root.iter('text')
    assert legend.text == name and root.get('aria-label') == name
    shown = label.find('title').tail
    assert shown == name[:24] + '…' and label.find('title').text == name


def test_no_bars_no_chart():
    assert bar_chart([], 'nothing') is None
