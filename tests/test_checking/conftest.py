"""A clean dataset to seed defects into."""

import copy
import json

import pytest

from pmvis_mm.checking import check_annotations
from pmvis_mm.testing.tiny_vis import write_tiny_vis


@pytest.fixture(scope='session')
def clean_root(tmp_path_factory):
    """Two videos of four 48x32 frames, two tracks each; ids from 1.

    Annotations 1 and 3 are 8x8 squares at (4 + 2 t, 6), in videos 1 and 2;
    2 and 4 are 4x16 bars at (30, 10), absent in the last frame.
    """
    root = tmp_path_factory.mktemp('clean')
    data = write_tiny_vis(root, num_frames=4)
    ids = {3: 1, 0: 2}
    for video in data['videos']:
        video['id'] += 1
    for category in data['categories']:
        category['id'] = ids[category['id']]
    for entry in data['annotations']:
        entry['id'] += 1
        entry['video_id'] += 1
        entry['category_id'] = ids[entry['category_id']]
        entry['iscrowd'] = 0
        entry['areas'] = [m and 64 for m in entry['segmentations']]
    (root / 'instances.json').write_text(json.dumps(data))
    return root


@pytest.fixture
def data(clean_root):
    """Content of the clean file, to be changed."""
    return json.loads((clean_root / 'instances.json').read_text())


@pytest.fixture
def found_in():
    """Function that checks content, compares codes, gives the findings.

    The content must stay as it is.
    """

    def check(data, *codes, **options):
        before = copy.deepcopy(data)
        found, _ = check_annotations(data, 'a.json', **options)
        assert repr(data) == repr(before)
        assert set(found.codes) == set(codes)
        return found

    return check


@pytest.fixture
def one(found_in):
    """Function that expects one finding of a code, beside its relatives.

    Returns the finding's (video, frame, instance) and problem.
    """

    def check(data, code, *relatives, **options):
        found = found_in(data, code, *relatives, **options)
        assert found.counts[code] == 1
        (finding,) = found.of(code)
        assert finding.file == 'a.json' and finding.fix
        place = finding.video, finding.frame, finding.instance
        return place, finding.problem

    return check
