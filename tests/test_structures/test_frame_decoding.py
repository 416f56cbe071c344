"""JPEGs decode to Pillow's pixels, whatever decodes them, or not at all."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from pmvis_mm.structures import frame_decoding
from pmvis_mm.structures.frame_decoding import decode_frame


def photo(height, width, channels=3, seed=0):
    """Smooth noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-20, 20, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def jpeg(image, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'JPEG', **options)
    return buffer.getvalue()


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        rgb = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    return rgb[..., ::-1]


@pytest.fixture
def opencv_only(monkeypatch):
    """Pillow may not be asked."""

    def fail(*_):
        raise AssertionError('decoded by Pillow')

    monkeypatch.setattr(frame_decoding, '_to_rgb', fail)


OPTIONS = [
    dict(quality=85),
    dict(quality=95, subsampling=0),
    dict(quality=75, subsampling=1),
    dict(quality=100, subsampling=2),
    dict(quality=30, optimize=True),
    dict(quality=80, progressive=True),
    dict(quality=80, restart_marker_blocks=2),
    dict(quality=80, comment=b'made by hand'),
    dict(quality=80, icc_profile=b'x' * 200),
]


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('size', [(48, 64), (37, 51), (1, 1), (8, 17)])
def test_common_jpegs_have_the_pixels_of_pillow(options, size, opencv_only):
    content = jpeg(photo(*size), **options)
    found = decode_frame(content)
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, by_pillow(content))


def test_grey_jpeg_has_three_channels(opencv_only):
    content = jpeg(photo(20, 30)[..., 0])
    found = decode_frame(content)
    assert found.shape == (20, 30, 3)
    np.testing.assert_array_equal(found, by_pillow(content))


def test_jpegs_of_opencv(opencv_only):
    done, content = cv2.imencode('.jpg', photo(33, 45))
    assert done
    content = content.tobytes()
    np.testing.assert_array_equal(decode_frame(content), by_pillow(content))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_upright_as_exif_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = jpeg(photo(24, 40), exif=exif)
    found = decode_frame(content)
    assert found.shape == ((24, 40, 3) if orientation < 5 else (40, 24, 3))
    np.testing.assert_array_equal(found, by_pillow(content))


def test_four_colours_are_left_to_pillow():
    rgb = Image.fromarray(photo(16, 24))
    buffer = io.BytesIO()
    rgb.convert('CMYK').save(buffer, 'JPEG')
    content = buffer.getvalue()
    np.testing.assert_array_equal(decode_frame(content), by_pillow(content))


@pytest.mark.parametrize('progressive', [False, True])
def test_every_truncation_is_an_error(progressive):
    content = jpeg(photo(40, 56), quality=70, progressive=progressive)
    # Without its end marker only, the picture is there: for Pillow too.
    for length in [*range(0, len(content) - 2, 37), len(content) - 40]:
        with pytest.raises(OSError):
            decode_frame(content[:length])


@pytest.mark.parametrize('length', range(300, 1300, 100))
def test_truncated_file_filled_with_zeros_is_judged_as_by_pillow(length):
    """Nobody can tell zeros from data; at least there is one answer."""
    content = jpeg(photo(40, 56))
    content = content[:length] + b'\0' * (len(content) - length)
    try:
        expected = by_pillow(content)
    except OSError:
        with pytest.raises(OSError):
            decode_frame(content)
    else:
        np.testing.assert_array_equal(decode_frame(content), expected)


def test_truncated_with_a_thumbnail_before_it():
    """The end marker of a thumbnail is not that of the picture."""
    exif = Image.Exif()
    exif[0x9286] = jpeg(photo(8, 8))
    content = jpeg(photo(40, 56), exif=exif)
    with pytest.raises(OSError):
        decode_frame(content[: content.index(b'\xff\xd9') + 2])


def test_bytes_behind_the_end_marker_do_no_harm():
    content = jpeg(photo(24, 32))
    expected = by_pillow(content)
    np.testing.assert_array_equal(decode_frame(content + b'\0\0'), expected)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'P', 'LA'])
def test_png_of_any_mode(mode):
    image = Image.fromarray(photo(10, 12)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    found = decode_frame(buffer.getvalue())
    assert found.flags.c_contiguous and found.flags.writeable
    np.testing.assert_array_equal(found, by_pillow(buffer.getvalue()))


@pytest.mark.parametrize('content', [b'', b'\xff\xd8\xff\xd9', b'no image'])
def test_no_image(content):
    with pytest.raises(OSError):
        decode_frame(content)


def test_broken_tables_fall_back_to_the_errors_of_pillow():
    content = jpeg(photo(24, 32))
    place = content.index(b'\xff\xc4')  # Huffman table of absurd length
    broken = content[: place + 2] + b'\xff\xff' + content[place + 4 :]
    with pytest.raises(OSError):
        decode_frame(broken)


def test_more_pixels_than_pillow_takes_for_sane(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    buffer = io.BytesIO()
    Image.fromarray(photo(20, 30)).save(buffer, 'PNG')
    with pytest.raises(OSError, match='600 pixels'):
        decode_frame(buffer.getvalue())
