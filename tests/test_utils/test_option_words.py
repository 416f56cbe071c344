import argparse

import pytest

from pmvis_mm.utils.option_words import add_options, key_value, read_options


def test_words_become_values():
    parser = argparse.ArgumentParser()
    add_options(parser, 'of something')
    words = ['--option', 'a=1', 'b=[1, 2]', 'c=x=y', '--option', 'a=null']
    args = parser.parse_args([*words, 'd="1"', 'e=true', 'f=ä b'])
    assert read_options(args) == dict(
        a=None, b=[1, 2], c='x=y', d='1', e=True, f='ä b'
    )
    assert read_options(parser.parse_args([])) == {}


@pytest.mark.parametrize('word', ['a', 'a=', '=1', ''])
def test_other_words_are_refused(word):
    with pytest.raises(argparse.ArgumentTypeError, match='is not KEY=VALUE'):
        key_value(word)
