"""Words of the form NAME=PATH."""

import argparse

import pytest

from pmvis_mm.utils.named_paths import add_sources


def parse(*words):
    parser = argparse.ArgumentParser()
    add_sources(parser, 'candidate masks')
    return parser.parse_args(words).sources


def test_paths_by_name_in_their_order():
    found = parse('--sources', 'b, raw=x/y=z.json', 'ä=1.json')
    assert list(found.items()) == [('b, raw', 'x/y=z.json'), ('ä', '1.json')]
    assert parse() == {}


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['a.json'], "'a.json' is not NAME=PATH"),
        (['=a.json'], "'=a.json' is not NAME=PATH"),
        (['a='], "'a=' is not NAME=PATH"),
        (['a=1', 'b=2', 'a=3'], "'a' is '1' and '3'"),
    ],
)
def test_words_that_make_no_sense(words, message, capsys):
    with pytest.raises(SystemExit):
        parse('--sources', *words)
    assert message in capsys.readouterr().err
