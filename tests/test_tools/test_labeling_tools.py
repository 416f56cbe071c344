"""Command lines of tools/labeling."""

import json
import subprocess
import sys

from pmvis_mm.testing.tiny_vis import write_tiny_vis


def call(repo_root, tool, *arguments):
    return subprocess.run(
        [sys.executable, repo_root / 'tools/labeling' / tool, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_filter_annotations(repo_root, tmp_path):
    write_tiny_vis(tmp_path)
    real = tmp_path / 'instances.json'
    data = json.loads(real.read_text())
    annotation = data['annotations'][0]
    frame = next(t for t, b in enumerate(annotation['bboxes']) if b)
    annotation['segmentations'][frame] = None
    (tmp_path / 'masks.json').write_text(json.dumps(data))
    done = call(
        repo_root,
        'filter_annotations.py',
        real,
        tmp_path / 'masks.json',
        tmp_path / 'out.json',
        '--ria',
        '0.6',
        '--drop-empty-videos',
    )
    assert done.returncode == 0, done.stderr
    assert 'removed=1' in done.stdout.split('RIA')[0]
    out = json.loads((tmp_path / 'out.json').read_text())
    by_id = {a['id']: a for a in out['annotations']}
    kept = by_id.get(annotation['id'])
    assert kept is None or kept['bboxes'][frame] is None


def test_mistakes_end_with_one_line(repo_root, tmp_path):
    done = call(
        repo_root, 'filter_annotations.py', 'no.json', 'no.json', 'out.json'
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith('error: file does not exist')
    config = repo_root / 'configs/labeling/pipeline_weights-free.py'
    done = call(
        repo_root,
        'run_pipeline.py',
        config,
        *('--work-dir', tmp_path / 'w'),
        *('--ann-file', tmp_path / 'no.json', '--img-prefix', tmp_path),
    )
    assert done.returncode == 1
    assert 'error: file does not exist' in done.stderr
    assert 'Traceback' not in done.stderr
