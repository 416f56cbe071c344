import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pmvis_mm.structures.label_image import (
    encode_labels,
    read_image_as_is,
    read_label_image,
)
from pmvis_mm.structures.rle import encode
from pmvis_mm.utils.errors import FrameError


def test_masks_by_hand():
    labels = np.array([[0, 2, 2], [2, 2, 7]])
    masks = encode_labels(labels)
    # Column-major: 0 2 | 2 2 | 2 7.
    assert list(masks) == [2, 7]
    assert masks[2] == coco_rle([1, 4, 1])
    assert masks[7] == coco_rle([5, 1])


def coco_rle(counts):
    found = coco_mask.frPyObjects(dict(size=[2, 3], counts=counts), 2, 3)
    return dict(size=[2, 3], counts=found['counts'].decode())


@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.uint32, np.int64])
def test_masks_are_those_of_pycocotools(kind):
    rng = np.random.default_rng(0)
    for _ in range(50):
        shape = rng.integers(1, 9, 2)
        labels = (rng.integers(0, 4, shape) * 61).astype(kind)
        masks = encode_labels(labels)
        assert list(masks) == [n for n in (61, 122, 183) if n in labels]
        for number, mask in masks.items():
            assert mask == encode(labels == number)


def test_empty_images():
    assert encode_labels(np.zeros((4, 5), np.uint8)) == {}
    assert encode_labels(np.zeros((0, 5), np.uint8)) == {}
    full = encode_labels(np.full((2, 3), 9))
    assert full == {9: encode(np.ones((2, 3)))}


def test_sixteen_bits_if_welcome(tmp_path):
    labels = np.array([[0, 1001], [10000, 65535]], np.uint16)
    Image.fromarray(labels).save(tmp_path / 'a.png')
    found = read_label_image(str(tmp_path / 'a.png'), allow_16_bit=True)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, labels)
    with pytest.raises(FrameError, match='mode I;?1?6?, not 8 bit labels'):
        read_label_image(str(tmp_path / 'a.png'))


def test_eight_bits_stay(tmp_path):
    labels = np.array([[0, 1], [255, 7]], np.uint8)
    Image.fromarray(labels).save(tmp_path / 'a.png')
    found = read_label_image(str(tmp_path / 'a.png'), allow_16_bit=True)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels)


def test_bad_images_are_named(tmp_path):
    path = tmp_path / 'ä b.png'
    with pytest.raises(FrameError, match='label image does not exist') as err:
        read_label_image(str(path), 'bear', 3)
    assert 'video bear, frame 3' in str(err.value)
    Image.new('RGB', (4, 4)).save(path)
    with pytest.raises(FrameError, match='mode RGB, not 8 or 16 bit labels'):
        read_label_image(str(path), allow_16_bit=True)
    assert read_image_as_is(str(path))[0] == 'RGB'
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(FrameError, match='truncated or not an image'):
        read_image_as_is(str(path))


def test_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 7)
    Image.new('P', (4, 4)).save(tmp_path / 'a.png')
    with pytest.raises(FrameError, match='decompression bomb'):
        read_label_image(str(tmp_path / 'a.png'))
