from pathlib import Path

from pmvis_mm.testing.golden import golden_dir, golden_files


def test_folder_of_the_environment_replaces_the_default(
    monkeypatch, tmp_path, repo_root
):
    monkeypatch.setenv('PMVIS_GOLDEN', str(tmp_path))
    assert golden_dir() == tmp_path
    assert golden_files('tkloss_*.npz') == []
    for name in ('tkloss_b.npz', 'tkloss_a.npz', 'other_a.npz'):
        Path(tmp_path, name).touch()
    names = [path.stem for path in golden_files('tkloss_*.npz')]
    assert names == ['tkloss_a', 'tkloss_b']
    monkeypatch.setenv('PMVIS_GOLDEN', '')
    assert golden_dir() == repo_root / 'tests' / 'data' / 'golden'
    monkeypatch.delenv('PMVIS_GOLDEN')
    assert golden_dir() == repo_root / 'tests' / 'data' / 'golden'


def test_missing_folder_has_no_files(monkeypatch, tmp_path):
    monkeypatch.setenv('PMVIS_GOLDEN', str(tmp_path / 'none'))
    assert golden_files('*') == []
