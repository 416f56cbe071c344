import io
import json
import runpy
import sys
import zipfile
from pathlib import Path

import pytest

from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.imported_videos import write_images

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools/dataset_converters/import_annotations.py'
)
MASK = box_rle((0, 0, 4, 4), 24, 32)


@pytest.fixture
def run_tool(monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


@pytest.fixture
def source(tmp_path):
    """Four frames with a box in the first and the last one; a mask."""
    data = dict(
        videos=[
            dict(
                id=3,
                width=32,
                height=24,
                file_names=[f'ein Clip/{t:05d}.jpg' for t in range(4)],
            )
        ],
        categories=[dict(id=1, name='katze'), dict(id=2, name='hund')],
        annotations=[
            dict(
                id=1,
                video_id=3,
                category_id=1,
                bboxes=[[0, 0, 4, 4], None, None, [30, 0, 4.5, 4]],
                segmentations=[MASK, None, None, None],
            ),
            dict(
                id=2,
                video_id=3,
                category_id=2,
                bboxes=[[1, 1, 3, 3], None, None, None],
            ),
        ],
    )
    path = tmp_path / 'Käse Boxen.json'
    path.write_text(json.dumps(data), encoding='utf-8')
    return path


def test_boxes_by_default(run_tool, source, tmp_path, capsys):
    write_images(tmp_path / 'Bilder' / 'ein Clip')
    out = tmp_path / 'neu' / 'boxes.json'
    run_tool(
        *('auto', source, '--frames', tmp_path / 'Bilder', '--out', out),
        *('--interpolate', '--max-gap', 2, '--clip-boxes'),
        *(
            '--map',
            'katze=cat',
            '--map',
            'hund=dog',
            'maus=m',
            '--classes',
            'dog',
        ),
        *('cat', '--option', 'min_score=0.5', '--size', '32x24'),
    )
    text = out.read_text()
    assert 'segmentation' not in text
    assert 'area' not in text
    annotations = VideoAnnotations.from_file(out)
    assert [c['name'] for c in annotations.categories] == ['dog', 'cat']
    track = next(iter(annotations))
    assert track.boxes[1] == pytest.approx((10, 0, 14.1667, 4))
    assert track.interpolated == [0, 1, 1, 0]
    printed = capsys.readouterr().out.splitlines()
    assert [line.split() for line in printed[:5]] == [
        ['what', 'number'],
        ['videos', '1'],
        ['frames', '4'],
        ['tracks', '2'],
        ['boxes', '5'],
    ]
    assert 'boxes interpolated                2' in printed
    assert 'boxes clipped to the frame        1' in printed
    assert 'masks left out (boxes only)       1' in printed
    assert printed[-2] == "warning: no class has the name ['maus'] (--map)"
    assert printed[-1] == f'written: {out}'


def test_masks_from_a_zip(run_tool, source, tmp_path):
    packed = tmp_path / 'ein export.zip'
    with zipfile.ZipFile(packed, 'w') as archive:
        archive.write(source, 'daten/x.json')
    out = tmp_path / 'masks.json'
    options = ('--out', out, '--with-masks', '--clip-boxes')
    run_tool('youtube_vis', packed, *options, '--max-unpacked', 0.1)
    (first, _) = VideoAnnotations.from_file(out, with_masks=True)
    assert first.segmentations == [MASK, None, None, None]
    with pytest.raises(SystemExit, match='error: the archive holds more'):
        run_tool('youtube_vis', packed, *options, '--max-unpacked', 1e-7)


def test_made_up_names_are_told(run_tool, tmp_path, capsys):
    path, out = tmp_path / 'ein clip.txt', tmp_path / 'boxes.json'
    path.write_text('1,7,2,3,10,5,1\n3,7,2,3,10,5,1\n')
    options = ('--size', '32x24', '--default-class', 'cat', '--out', out)
    with pytest.raises(SystemExit, match='--invent-names'):
        run_tool('auto', path, *options)
    run_tool('auto', path, *options, '--invent-names')
    printed = capsys.readouterr().out
    assert 'warning: names of frames are made up' in printed
    assert 'no mask in the source' not in printed
    run_tool('auto', path, *options, '--invent-names', '--with-masks')
    assert 'note: there is no mask in the source' in capsys.readouterr().out
    (video,) = VideoAnnotations.from_file(out).videos.values()
    assert video.file_names == tuple(f'ein clip/{t:05d}.jpg' for t in range(3))


def test_mistakes_end_with_one_line(run_tool, source, tmp_path, capsys):
    out = tmp_path / 'boxes.json'
    cases = {
        'sticks out of the 32x24': (),
        'the annotations say 32x24 pixels but --size': ('--size', '24x32'),
        'no option': ('--option', 'a=1'),
        'names frames': ('--first-frame', 1),
        'max_gap=3': ('--max-gap', 3),
    }
    for message, options in cases.items():
        with pytest.raises(SystemExit, match=f'^error: .*{message}'):
            run_tool('auto', source, '--out', out, *options)
        assert not out.exists()
    (tmp_path / 'a').write_text('?')
    with pytest.raises(SystemExit, match='^error: its format is not recog'):
        run_tool('auto', tmp_path / 'a', '--out', out)
    usage = {
        'invalid choice': ('excel', source, '--out', out),
        'not KEY=VALUE': ('auto', source, '--out', out, '--map', 'a'),
        'not WIDTHxHEIGHT': ('auto', source, '--out', out, '--size', '3'),
    }
    for message, words in usage.items():
        with pytest.raises(SystemExit):
            run_tool(*words)
        assert message in capsys.readouterr().err


@pytest.mark.parametrize('amount', ['nan', 'inf', '-1', '0', 'x'])
def test_amount_that_is_none(run_tool, source, tmp_path, capsys, amount):
    out = tmp_path / 'out.json'
    with pytest.raises(SystemExit) as caught:
        run_tool('auto', source, '--out', out, '--max-unpacked', amount)
    assert caught.value.code == 2
    assert '--max-unpacked' in capsys.readouterr().err


def test_error_about_names_with_line_breaks_is_one_line(run_tool, tmp_path):
    source = tmp_path / 'a\nb.txt'
    source.write_text('1,1,0,0,5,5\n')
    with pytest.raises(SystemExit) as caught:
        run_tool('mot', source, '--out', tmp_path / 'out.json')
    assert 'video a\\nb' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_names_without_letters_are_printed(
    run_tool, source, tmp_path, monkeypatch
):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, 'ascii'))
    source.write_text(source.read_text('utf-8').replace('hund', '\\ud800'))
    run_tool('auto', source, '--out', tmp_path / 'out.json', '--clip-boxes')
    sys.stdout.flush()
    assert b'\\ud800' in raw.getvalue() and b'K\\xe4se' not in raw.getvalue()
