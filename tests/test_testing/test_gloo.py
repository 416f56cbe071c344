"""Scripts in several processes."""

import pytest

from pmvis_mm.testing.gloo import run_processes

SUM = """
total = torch.tensor(rank + int(arguments[0]))
dist.all_reduce(total)
answer = dict(rank=rank, total=int(total))
"""


def test_processes_talk_to_each_other(tmp_path):
    found = run_processes(SUM, tmp_path, 5)
    assert found == [dict(rank=0, total=11), dict(rank=1, total=11)]


def test_what_went_wrong_in_a_process_is_told(tmp_path):
    with pytest.raises(RuntimeError, match='ValueError: rank 0 fails'):
        run_processes(
            'raise ValueError(f"rank {rank} fails")', tmp_path, count=1
        )
