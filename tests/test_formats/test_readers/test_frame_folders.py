import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import FrameFolders, image_size
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import FrameError


def save(path, width=6, height=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)


@pytest.mark.parametrize('inner', ['', 'img1/', 'images/'])
def test_folder_of_images(tmp_path, inner):
    for name in ('10.jpg', '9.jpg', '1.png'):
        save(tmp_path / f'ein clip ü/{inner}{name}')
    (tmp_path / f'ein clip ü/{inner}notes.txt').write_text('no image')
    save(tmp_path / f'ein clip ü/{inner}.hidden.jpg')
    found = FrameFolders(tmp_path).find('ein clip ü')
    assert found.file_names == tuple(
        f'ein clip ü/{inner}{name}' for name in ('1.png', '9.jpg', '10.jpg')
    )
    assert (found.width, found.height) == (6, 4)


def test_images_in_the_root(tmp_path):
    save(tmp_path / '0.jpg')
    assert FrameFolders(tmp_path).find('').file_names == ('0.jpg',)


@pytest.mark.parametrize('name', ['a b', 'a b.mp4'])
def test_video_file(tmp_path, name):
    write_mp4(tmp_path / 'a b.mp4', moving_frames(5, (32, 48)))
    found = FrameFolders(tmp_path).find(name)
    assert found.file_names == tuple(f'a b.mp4#{t}' for t in range(5))
    assert (found.width, found.height) == (48, 32)


def test_names_that_lead_out_find_nothing(tmp_path):
    save(tmp_path / 'secret/0.jpg')
    (tmp_path / 'frames').mkdir()
    folders = FrameFolders(tmp_path / 'frames')
    for name in ('../secret', str(tmp_path / 'secret'), 'secret'):
        assert folders.find(name) is None


def test_no_folder(tmp_path):
    with pytest.raises(FrameError, match='folder of frames does not exist'):
        FrameFolders(tmp_path / 'frames')


def test_broken_first_image(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/0.jpg').write_bytes(b'no image')
    with pytest.raises(FrameError, match='image cannot be read') as error:
        FrameFolders(tmp_path).find('a')
    assert 'a/0.jpg' in str(error.value)


def test_size_is_that_of_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.jpg', exif=exif)
    assert image_size(tmp_path / 'a.jpg') == (4, 6)


def test_images_that_claim_too_many_pixels(tmp_path, monkeypatch):
    save(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 5)
    with pytest.raises(FrameError, match='image cannot be read'):
        image_size(tmp_path / 'a.png')
