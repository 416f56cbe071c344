from pmvis_mm.utils.warmup import linear_warmup


def test_b11_warm_up_factor():
    assert linear_warmup(1, 10000) == 1e-4
    assert linear_warmup(5000, 10000) == 0.5
    assert linear_warmup(10000, 10000) == linear_warmup(50000, 10000) == 1.0
    assert linear_warmup(0, 10000) == 0  # mmdet's first iteration
    assert linear_warmup(0, 0) == 1.0
