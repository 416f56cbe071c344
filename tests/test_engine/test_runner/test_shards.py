import json
from pathlib import Path

import pytest

from pmvis_mm.engine.runner.shards import ShardStore, fingerprint
from pmvis_mm.labeling.label_video import LabelResult
from pmvis_mm.structures import BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import MaskSetError, OutputError

CATEGORIES = [dict(id=1, name='thing')]
INFO = VideoInfo(3, 12, 8, ('v/a.png', 'v/b.png'))
BOX = (1.5, 2.0, 6.0, 7.0)
STATS = dict(frames=2, boxes=1, source_seconds=0.5, hook_seconds=0.25)


def make_result():
    raw = MaskTrack.empty_like(BoxTrack(0, 3, 1, [BOX, None]))
    raw.set(0, box_rle((1, 2, 6, 7), 8, 12), 'cut', 1 / 3)
    clean = raw.copy()
    clean.set(0, None, '')
    result = LabelResult(INFO, [])
    result.commit('raw', [raw])
    result.commit('doob', [clean])
    return result


@pytest.fixture
def store(tmp_path):
    return ShardStore(tmp_path / 'shards', CATEGORIES)


# ------------------------------------------------------------ fingerprint
def test_fingerprint_is_short_and_stable():
    key = fingerprint(dict(a=1, b=[2, None]), None)
    assert len(key) == 12 and int(key, 16) >= 0
    assert key == fingerprint(dict(b=(2, None), a=1), None)


@pytest.mark.parametrize(
    'parts',
    [
        (dict(a=2, b=[2, None]), None),
        (dict(a=1, b=[2, 0]), None),
        (dict(a=1, b=[2]), None),
        (dict(a=1, c=[2, None]), None),
        (dict(a=1, b=[2, None]),),
        (None, dict(a=1, b=[2, None])),
        (dict(a='1', b=[2, None]), None),
        (dict(a=True, b=[2, None]), None),
    ],
)
def test_fingerprint_sees_every_change(parts):
    assert fingerprint(*parts) != fingerprint(dict(a=1, b=[2, None]), None)


def test_files_count_by_content(tmp_path):
    one, two = tmp_path / 'one.json', tmp_path / 'two.json'
    absent = fingerprint(dict(ann_file=str(one)))
    one.write_text('[1]')
    two.write_text('[1]')
    key = fingerprint(dict(priors=[dict(a=str(one))]))
    assert key == fingerprint(dict(priors=[dict(a=str(two))]))
    assert key == fingerprint(dict(priors=[dict(a=two)]))
    two.write_text('[2]')
    assert key != fingerprint(dict(priors=[dict(a=str(two))]))
    assert fingerprint(dict(ann_file=str(one))) != absent


@pytest.mark.parametrize('text', ['', 'a\0b', 'x' * 5000, '.', 'no/such'])
def test_strings_that_are_no_files(text):
    assert fingerprint(text) == fingerprint(text) != fingerprint(text + '!')


def test_other_values_count_by_what_they_print():
    assert fingerprint(dict(a=range(3))) == fingerprint(dict(a=range(3)))
    assert fingerprint(dict(a=range(3))) != fingerprint(dict(a=range(4)))
    assert fingerprint(Path('no/such')) == fingerprint(Path('no/such'))


def write_config(root, depth, data='train.json'):
    root.mkdir(parents=True)
    (root / 'base.py').write_text(f'model = dict(depth={depth})\n')
    (root / 'leaf.py').write_text(
        f"_base_ = ['base.py']\ntrain = dict(ann_file={data!r})\n"
    )
    return str(root / 'leaf.py')


def test_configs_count_with_their_bases(tmp_path):
    config = write_config(tmp_path / 'one', 50)
    key = fingerprint(dict(config=config))
    assert fingerprint(dict(config=config)) == key
    same = write_config(tmp_path / 'two', 50)
    assert fingerprint(dict(config=same)) == key
    # The file itself is the same, its base is not.
    other = write_config(tmp_path / 'three', 101)
    assert Path(other).read_bytes() == Path(config).read_bytes()
    assert fingerprint(dict(config=other)) != key
    # Neither comments nor layout matter.
    Path(same).write_text('# trained in May\n' + Path(config).read_text())
    assert fingerprint(dict(config=same)) == key


def test_training_data_of_a_named_config_is_not_read(tmp_path):
    data = tmp_path / 'train.json'
    data.write_text('[1]')
    config = write_config(tmp_path / 'one', 50, str(data))
    key = fingerprint(config)
    data.write_text('[2]')
    assert fingerprint(config) == key


@pytest.mark.parametrize('text', ['1 / 0\n', 'def (\n', 'a = missing\n'])
def test_python_that_is_no_config_counts_by_content(tmp_path, text):
    one, two = tmp_path / 'one.py', tmp_path / 'two.py'
    one.write_text(text)
    two.write_text(text)
    key = fingerprint(str(one))
    assert key == fingerprint(str(two))
    two.write_text('# comment\n' + text)
    assert fingerprint(str(two)) != key


# ------------------------------------------------------------- ShardStore
def test_what_is_written_is_read(store, tmp_path):
    assert not store.exists(INFO)
    assert store.path(INFO) == tmp_path / 'shards' / '3.json'
    store.write(make_result(), STATS)
    assert store.exists(INFO)
    result = store.read(INFO)
    assert list(result.stages) == ['raw', 'doob']
    assert result.tracks is result.stages['doob']
    (raw,) = result.stages['raw']
    assert raw == make_result().stages['raw'][0]
    assert raw.scores == [0.33333, None]
    # The annotated box outlives its mask.
    (clean,) = result.tracks
    assert clean.num_masks == 0 and clean.boxes == [BOX, None]
    assert store.stats(INFO) == STATS
    assert [p.name for p in (tmp_path / 'shards').iterdir()] == ['3.json']


def test_reading_and_writing_again_gives_the_same_bytes(store):
    store.write(make_result(), STATS)
    first = store.path(INFO).read_bytes()
    store.write(store.read(INFO), STATS)
    assert store.path(INFO).read_bytes() == first


def test_video_without_instances(store):
    result = LabelResult(INFO, [])
    result.commit('raw', [])
    store.write(result, STATS)
    assert store.read(INFO).stages == dict(raw=[])


@pytest.mark.parametrize(
    'content, message',
    [
        ('', 'not a json file'),
        ('{"stages": {', 'not a json file'),
        ('[]', 'not a finished video'),
        ('{"stages": {}}', 'not a finished video'),
        ('{"stages": [], "stats": {}}', 'not a finished video'),
        ('{"stages": {"raw": 3}, "stats": {}}', 'expected a json object'),
    ],
)
def test_broken_shard_is_named(store, content, message):
    store.write(make_result(), STATS)
    store.path(INFO).write_text(content)
    with pytest.raises(MaskSetError, match=message) as caught:
        store.read(INFO)
    assert str(caught.value.file) == str(store.path(INFO))


def test_shard_of_another_video_is_refused(store):
    store.write(make_result(), STATS)
    longer = VideoInfo(3, 12, 8, ('v/a.png', 'v/b.png', 'v/c.png'))
    with pytest.raises(MaskSetError) as caught:
        store.read(longer)
    assert caught.value.video == 3
    assert str(caught.value).endswith('Fix: delete this file and run again')


def test_shard_with_a_broken_mask_is_named(store):
    store.write(make_result(), STATS)
    data = json.loads(store.path(INFO).read_text())
    entry = data['stages']['raw']['annotations'][0]
    entry['segmentations'][0]['size'] = [9, 9]
    store.path(INFO).write_text(json.dumps(data))
    with pytest.raises(MaskSetError) as caught:
        store.read(INFO)
    error = caught.value
    assert (error.video, error.frame, error.instance) == (3, 0, 0)
    assert error.file == str(store.path(INFO))


def test_missing_shard_is_named(store):
    with pytest.raises(MaskSetError, match='file does not exist'):
        store.stats(INFO)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    store = ShardStore(tmp_path / 'file' / 'shards', CATEGORIES)
    with pytest.raises(OutputError, match='cannot write here') as caught:
        store.write(make_result(), STATS)
    assert caught.value.file == store.path(INFO)
