from pmvis_mm.utils.text_table import format_table


def test_columns_are_aligned():
    text = format_table(
        ['name', 'n', 'share'],
        [['a', 12, 0.5], ['longer', 3, float('nan')], ['b', None, 1.0]],
        digits=2,
    )
    assert text.splitlines() == [
        'name     n  share',
        'a       12   0.50',
        'longer   3      -',
        'b        -   1.00',
    ]


def test_a_table_without_rows_is_its_header():
    assert format_table(['a', 'bc'], []) == 'a  bc'
