"""Features in a temporary file come back as they were."""

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.labeling.sources import feature_spill
from pmvis_mm.labeling.sources.feature_spill import FeatureSpill
from pmvis_mm.models.vos import FrameFeatures


def make(seed=0, dtype=torch.float32):
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return (1e3 * torch.randn(*shape, generator=rng)).to(dtype)

    # A view that is not contiguous, as networks return them.
    x = draw(1, 3, 4, 8).transpose(2, 3)
    return FrameFeatures(x, (draw(1, 8, 2), draw(5)), (33, 65), (40, 60))


def assert_same(found, expected, **kwargs):
    assert found.input_shape == expected.input_shape
    assert found.ori_shape == expected.ori_shape
    for a, b in zip(
        (found.x, *found.pyramid), (expected.x, *expected.pyramid)
    ):
        assert a.shape == b.shape and a.dtype == b.dtype
        torch.testing.assert_close(a, b, **kwargs)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_full_precision_is_exact(dtype):
    spill = FeatureSpill(10**6)
    originals = [make(i, dtype) for i in range(4)]
    for index, features in enumerate(originals):
        assert spill.put(10 * index, features)
    assert spill.num_bytes == 4 * originals[0].nbytes
    for index in (3, 0, 0, 2, 1):
        assert_same(spill.get(10 * index), originals[index], rtol=0, atol=0)
    assert spill.get(1) is None


def test_writing_goes_on_after_reading():
    spill = FeatureSpill(10**6)
    originals = [make(i) for i in range(3)]
    for index, features in enumerate(originals):
        spill.put(index, features)
        assert_same(spill.get(0), originals[0], rtol=0, atol=0)
    assert_same(spill.get(2), originals[2], rtol=0, atol=0)


def test_half_precision_is_half_the_size():
    spill = FeatureSpill(10**6, half=True)
    features = make()
    features.pyramid[1][0] = 1e6  # beyond the largest half
    assert spill.put(0, features)
    assert spill.num_bytes * 2 == features.nbytes
    found = spill.get(0)
    assert found.pyramid[1][0] == 65504
    features.pyramid[1][0] = 65504
    assert_same(found, features, rtol=2**-11, atol=1e-4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_leaves_small_types(dtype):
    spill = FeatureSpill(10**6, half=True)
    spill.put(0, make(dtype=dtype))
    assert_same(spill.get(0), make(dtype=dtype), rtol=0, atol=0)


def test_a_frame_is_written_once():
    spill = FeatureSpill(10**6)
    assert spill.put(5, make(0)) and spill.put(5, make(1))
    assert spill.num_bytes == make().nbytes
    assert_same(spill.get(5), make(0), rtol=0, atol=0)


def test_budget():
    spill = FeatureSpill(2 * make().nbytes + 5)
    assert [spill.put(i, make(i)) for i in range(3)] == [True, True, False]
    assert spill.get(2) is None
    assert_same(spill.get(1), make(1), rtol=0, atol=0)
    spill.clear()
    assert spill.num_bytes == 0 and spill.get(1) is None
    assert spill.put(2, make(2))
    assert_same(spill.get(2), make(2), rtol=0, atol=0)
    assert not FeatureSpill(0).put(0, make())


def test_what_is_kept_in_memory_is_no_tensor():
    spill = FeatureSpill(10**6)
    spill.put(0, make())
    kept = spill._places[0].features
    assert kept.x.untyped_storage().nbytes() == 0 and kept.pyramid == ()


def test_folder_and_no_trace(tmp_path):
    spill = FeatureSpill(10**6, folder=str(tmp_path))
    spill.put(0, make())
    spill.clear()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_a_full_budget(monkeypatch):
    spill = FeatureSpill(10**6)
    spill.put(0, make(0))
    real = spill._file

    class Full:
        def __getattr__(self, name):
            return getattr(real, name)

        def write(self, content):
            raise OSError(28, 'No space left on device')

    spill._file = Full()
    with pytest.warns(UserWarning, match='No space left.*smaller spill_mb'):
        assert not spill.put(1, make(1))
    assert not spill.put(2, make(2))  # without a second warning
    assert spill.get(1) is None
    assert_same(spill.get(0), make(0), rtol=0, atol=0)


def test_no_file_can_be_made(monkeypatch):
    def fail(dir):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(feature_spill.tempfile, 'TemporaryFile', fail)
    spill = FeatureSpill(10**6)
    with pytest.warns(UserWarning, match='Permission denied'):
        assert not spill.put(0, make())


def test_file_cut_short():
    spill = FeatureSpill(10**6)
    spill.put(0, make())
    spill._file.truncate(10)
    with pytest.raises(OSError, match='was cut short'):
        spill.get(0)
