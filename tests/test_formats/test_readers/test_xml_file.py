import tracemalloc

import pytest

from pmvis_mm.formats.readers.xml_file import read_children
from pmvis_mm.utils.errors import AnnotationError


def _read(path):
    return list(read_children(path, 'test XML', 'root'))


def test_children_with_text_and_attributes(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<root>x<a b="1 &amp; 2"><c>t &lt;</c>y</a><d/></root>')
    first, second = _read(path)
    assert (first.tag, first.get('b')) == ('a', '1 & 2')
    assert first.findtext('c') == 't <'
    assert (second.tag, len(second)) == ('d', 0)


def test_root_alone(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<root/>')
    assert _read(path) == []


def test_long_text_is_joined(tmp_path):
    path = tmp_path / 'a.xml'
    text = 'ä' * 400_000  # longer than a block, and cut in a character
    path.write_text(f'<root><a>x{text}</a></root>', encoding='utf-8')
    assert _read(path)[0].text == 'x' + text


@pytest.mark.parametrize(
    'head',
    [
        '<!DOCTYPE root [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE root SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE root>',
    ],
)
def test_declarations_are_refused(tmp_path, head):
    path = tmp_path / 'a.xml'
    path.write_text(f'{head}<root><a>&b;</a></root>')
    with pytest.raises(AnnotationError, match='declares a document type'):
        _read(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'not test XML: no XML, or cut off'),
        ('<root><a>', 'no XML, or cut off'),
        ('<root></root>x', 'no XML, or cut off'),
        ('<other/>', 'its root is <other>, not <root>'),
        ('<root>&nbsp;</root>', 'no XML, or cut off'),
    ],
)
def test_broken_files(tmp_path, text, message):
    path = tmp_path / 'a.xml'
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message):
        _read(path)


def test_missing_file(tmp_path):
    with pytest.raises(AnnotationError, match='cannot be read.*check the'):
        _read(tmp_path / 'a.xml')
    with pytest.raises(AnnotationError, match='cannot be read'):
        _read(tmp_path)


def test_what_was_given_is_not_kept(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<root>' + '<a b="1"><c/></a>' * 50_000 + '</root>')
    tracemalloc.start()
    count = sum(1 for _ in read_children(path, 'test XML', 'root'))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000 and peak < 16e6  # all of them: about 40 MB


@pytest.mark.parametrize('name', ['x-none', 'utf-7', 'idna'])
def test_unknown_encoding(tmp_path, name):
    path = tmp_path / 'a.xml'
    path.write_text(f'<?xml version="1.0" encoding="{name}"?><root/>')
    with pytest.raises(AnnotationError, match='not test XML: no XML'):
        _read(path)
