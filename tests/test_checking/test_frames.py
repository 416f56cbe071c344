"""Defects of frames on disk."""

import shutil

import pytest
from PIL import Image

from pmvis_mm.checking import check_annotations
from pmvis_mm.checking.findings import Findings
from pmvis_mm.checking.frames import check_frames
from pmvis_mm.structures.frame_path import video_frame_path
from pmvis_mm.testing.videos import moving_frames, write_mp4


@pytest.fixture
def images(clean_root, tmp_path):
    shutil.copytree(clean_root / 'JPEGImages', tmp_path / 'images ä')
    return tmp_path / 'images ä'


def look(data, images, *codes, **options):
    _, content = check_annotations(data)
    found = Findings('a.json')
    check_frames(content, str(images), found, **options)
    assert set(found.codes) == set(codes)
    return found


@pytest.mark.parametrize('decode', ['none', 'sample', 'all'])
def test_clean(data, images, decode):
    look(data, images, decode=decode)


def test_no_folder(data, images):
    (finding,) = look(data, images / 'x', 'prefix-missing')
    assert finding.file == str(images / 'x')


@pytest.mark.parametrize('decode', ['none', 'sample', 'all'])
def test_missing(data, images, decode):
    (images / 'v1/00002.png').unlink()
    (images / 'v1/00003.png').unlink()
    found = look(data, images, 'frame-missing', decode=decode)
    (finding,) = found
    assert (finding.video, finding.frame) == (2, 2)
    assert finding.file == str(images / 'v1/00002.png')
    assert finding.problem == '2 of 4 frames do not exist'
    assert found.counts['frame-missing'] == 2


def test_other_case(data, images):
    (images / 'v1/00002.png').rename(images / 'v1/00002.PNG')
    (images / 'v1').rename(images / 'V1')
    found = look(data, images, 'frame-case')
    assert found.counts['frame-case'] == 4
    finding = found.of('frame-case')[2]
    assert (finding.video, finding.frame) == (2, 2) and finding.repaired
    assert finding.problem == (
        "'v1/00002.png' does not exist, but 'V1/00002.PNG' does"
    )


def test_two_other_cases_are_none(data, images):
    for name in ('00002.PNG', '00002.Png'):
        shutil.copy(images / 'v1/00002.png', images / 'v1' / name)
    (images / 'v1/00002.png').unlink()
    look(data, images, 'frame-missing')


def test_backslashes_are_read_as_slashes(data, images):
    names = data['videos'][0]['file_names']
    names[:] = [name.replace('/', '\\') for name in names]
    look(data, images, decode='all')


def test_empty_file(data, images):
    (images / 'v0/00001.png').write_bytes(b'')
    (finding,) = look(data, images, 'frame-empty-file', num_samples=0)
    assert (finding.video, finding.frame) == (1, 1)
    look(data, images, decode='none')  # which only looks for names


@pytest.mark.parametrize('keep', [30, 150])
def test_truncated(data, images, keep):
    path = images / 'v1/00002.png'
    path.write_bytes(path.read_bytes()[:keep])
    (finding,) = look(data, images, 'frame-undecodable', decode='all')
    assert (finding.video, finding.frame) == (2, 2)
    assert finding.file == str(path)
    assert 'truncated or not an image' in finding.problem
    # Two of eight frames: numbers 2 and 6.
    look(data, images, 'frame-undecodable', num_samples=2)
    look(data, images, num_samples=1)


def test_first_frame_is_no_image(data, images):
    (images / 'v1/00000.png').write_bytes(b'text')
    (finding,) = look(data, images, 'frame-undecodable', num_samples=0)
    assert (finding.video, finding.frame) == (2, 0)


def test_other_size(data, images):
    for t in (0, 2):
        Image.new('RGB', (40, 30)).save(images / f'v1/0000{t}.png')
    found = look(data, images, 'frame-size', decode='all')
    assert [(f.video, f.frame) for f in found] == [(2, 0), (2, 2)]
    assert next(iter(found)).problem == (
        'frame is 40x30 pixels but the annotation says 48x32'
    )
    (finding,) = look(data, images, 'frame-size', num_samples=0)
    assert finding.frame == 0


# -------------------------------------------------------------- video files
@pytest.fixture
def clip(data, images):
    write_clip(images / 'clip ä.mp4')
    data['videos'][0]['file_names'] = [
        video_frame_path('clip ä.mp4', t) for t in range(4)
    ]
    return images / 'clip ä.mp4'


def write_clip(path, size=(32, 48)):
    write_mp4(path, moving_frames(6, size))


@pytest.mark.parametrize('decode', ['none', 'sample', 'all'])
def test_clip(data, images, clip, decode):
    look(data, images, decode=decode)


def test_beyond_the_clip(data, images, clip):
    data['videos'][0]['file_names'][2:] = ['clip ä.mp4#6', 'clip ä.mp4#17']
    found = look(data, images, 'frame-beyond-video')
    (finding,) = found
    assert (finding.video, finding.frame) == (1, 2)
    assert finding.problem.startswith('2 frames are beyond the 6 frames')
    assert found.counts['frame-beyond-video'] == 2


def test_missing_clip(data, images, clip):
    clip.unlink()
    (finding,) = look(data, images, 'frame-missing')
    assert (finding.video, finding.frame) == (1, 0)
    assert finding.problem == 'the video file does not exist'


def test_broken_clip(data, images, clip):
    clip.write_bytes(clip.read_bytes()[:100])
    (finding,) = look(data, images, 'frame-undecodable')
    assert finding.file == str(clip)


def test_clip_of_other_size(data, images, clip):
    write_clip(clip, (32, 64))
    (finding,) = look(data, images, 'frame-size')
    assert (finding.video, finding.frame) == (1, 0)
    look(data, images, decode='none')
