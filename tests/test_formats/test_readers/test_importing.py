import json
import os
import zipfile

import pytest

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    ArchiveLimits,
    build_reader,
    import_annotations,
    reader_options,
)
from pmvis_mm.testing.imported_videos import write_images
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

VIDEO = dict(id=1, width=32, height=24, file_names=['a b/00000.jpg'])
TRACK = dict(id=1, video_id=1, category_id=1, bboxes=[[0, 0, 40, 9]])


def write_boxes(path, **changes):
    data = dict(
        videos=[dict(VIDEO, **changes)],
        categories=[dict(id=1, name='cat')],
        annotations=[TRACK],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding='utf-8')
    return path


def write_zip(path, file, name):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, name)
        archive.writestr('read me.txt', 'hello')
    return path


def test_file_folder_and_archive_give_the_same(tmp_path):
    file = write_boxes(tmp_path / 'ä b' / 'x.json')
    packed = write_zip(tmp_path / 'ä b.zip', file, 'a/annotations.json')
    write_images(tmp_path / 'frames' / 'a b')
    results = [
        import_annotations(
            source, format, tmp_path / 'frames', clip_boxes=True
        )
        for source in (file, file.parent, packed)
        for format in ('auto', 'youtube_vis')
    ]
    content, report = results[0]
    assert content['annotations'][0]['bboxes'] == [[0, 0, 32, 9]]
    assert (report.boxes, report.clipped) == (1, 1)
    assert all(result == results[0] for result in results)


def test_errors_name_the_archive(tmp_path):
    file = write_boxes(tmp_path / 'x.json', width=0)
    packed = write_zip(tmp_path / 'a.zip', file, 'in/x.json')
    with pytest.raises(AnnotationError) as caught:
        import_annotations(packed)
    assert f'[file {packed}: in/x.json, video 1]' in str(caught.value)
    with pytest.raises(AnnotationError, match='more than 50 bytes'):
        import_annotations(packed, limits=ArchiveLimits(max_bytes=50))


def test_unknown_things(tmp_path):
    file = write_boxes(tmp_path / 'x.json')
    with pytest.raises(ConfigError, match="unknown format 'excel'.*'auto'"):
        build_reader(file, 'excel')
    with pytest.raises(
        ConfigError, match="no option 'speed'.*'ann_file', 'min_score'"
    ):
        build_reader(file, options=dict(speed=1))
    with pytest.raises(FrameError, match='folder of frames does not exist'):
        import_annotations(file, frames=tmp_path / 'missing')
    with pytest.raises(AnnotationError, match='does not exist'):
        import_annotations(tmp_path / 'missing.json')


def test_options_of_readers():
    kind = ANNOTATION_READERS.get('youtube_vis')
    assert reader_options(kind) == dict(ann_file=None, min_score=0.0)


def test_titles_differ_and_every_reader_is_documented():
    readers = ANNOTATION_READERS.module_dict
    titles = [reader.title for reader in readers.values()]
    assert len(set(titles)) == len(titles)
    assert all(titles)
    assert all(reader.__doc__ for reader in readers.values())


@pytest.mark.parametrize('format', ['auto', *ANNOTATION_READERS.module_dict])
@pytest.mark.parametrize(
    ('path', 'match'),
    [
        ('x' * 5000, 'cannot be read .*File name too long'),
        ('a\0b', 'cannot be read .*null'),
        (os.devnull, 'neither a file nor a folder, but a pipe or device'),
    ],
    ids=['long', 'null', 'device'],
)
def test_paths_that_are_none(format, path, match):
    with pytest.raises(AnnotationError, match=match):
        import_annotations(path, format)


def test_folder_of_somebody_else(tmp_path, monkeypatch):
    (tmp_path / 'clip').mkdir()

    def refuse(path='.'):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(os, 'listdir', refuse)
    match = 'cannot be read .Permission denied.*clip.*Fix: check'
    with pytest.raises(AnnotationError, match=match):
        import_annotations(tmp_path / 'clip', 'davis')


def test_file_of_somebody_else(tmp_path, monkeypatch):
    file = write_boxes(tmp_path / 'a.json')
    monkeypatch.setattr(os, 'access', lambda *_, **__: False)
    match = 'cannot be read .Permission denied. .*a.json.*permissions'
    with pytest.raises(AnnotationError, match=match):
        import_annotations(file)


def test_closed_folder_among_others_is_not_missed(tmp_path, monkeypatch):
    for name in ('a', 'b'):
        write_images(tmp_path / name)
        (tmp_path / name / '00000.json').write_text('{"shapes": []}')
    scan = os.scandir

    def refuse(path='.'):
        if str(path).endswith('b'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scan(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(AnnotationError, match='Permission denied.*b.*Fix'):
        import_annotations(tmp_path, 'labelme')
