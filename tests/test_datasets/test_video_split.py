import copy
import hashlib
import json
import os
import random
import subprocess
import sys

import pytest

from pmvis_mm.datasets.video_split import split_file, split_videos
from pmvis_mm.utils.errors import AnnotationError, ConfigError, OutputError


def make_data(num_videos=40, num_categories=5):
    """Video v has annotations 10 v and 10 v + 1; names fall in fours."""
    rng = random.Random(0)
    videos, annotations = [], []
    for v in range(num_videos):
        names = [f'film{v // 4}_part{v % 4}/{t}.jpg' for t in range(2)]
        videos.append(
            dict(id=v, width=8, height=4, file_names=names, note=f'n{v}')
        )
        for i in range(2):
            annotations.append(
                dict(
                    id=10 * v + i,
                    video_id=v,
                    category_id=rng.choice([3, 5, 7, 9, 11][:num_categories]),
                    bboxes=[[0.1, 0, 2, 2], None],
                    occlusion=['no_occlusion', None],
                )
            )
    categories = [dict(id=k, name=f'c{k}') for k in (11, 9, 7, 5, 3)]
    return dict(
        info=dict(year=2021),
        videos=videos,
        categories=categories,
        annotations=annotations,
        remarks=[dict(video_id=v, text=str(v)) for v in range(num_videos)],
    )


def ids(part, key='videos'):
    return [entry['id'] for entry in part[key]]


def digest(split):
    text = json.dumps([split.train, split.minival])
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_video_is_in_one_part_with_all_that_is_its():
    data = make_data()
    kept = copy.deepcopy(data)
    split = split_videos(data, val_fraction=0.25)
    assert data == kept
    assert len(split.train['videos']) == 30
    assert sorted(ids(split.train) + ids(split.minival)) == list(range(40))
    by_id = {entry['id']: entry for entry in data['annotations']}
    for part in (split.train, split.minival):
        assert list(part) == list(data)
        assert part['info'] == data['info']
        assert part['categories'] == data['categories']
        mine = ids(part)
        assert part['videos'] == [data['videos'][v] for v in mine]
        expected = sorted(k for k in by_id if by_id[k]['video_id'] in mine)
        assert ids(part, 'annotations') == expected
        assert all(by_id[e['id']] == e for e in part['annotations'])
        assert [entry['video_id'] for entry in part['remarks']] == mine


def test_counts_by_hand():
    data = make_data(4, 1)
    data['annotations'].append(dict(id=99, video_id=3, category_id=9))
    split = split_videos(data, val_videos=1)
    rows = {row.name: (row.instances, row.videos) for row in split.counts}
    assert list(rows) == ['c11', 'c9', 'c7', 'c5', 'c3', 'all']
    # One of two instances in video 3, which stays in the larger part.
    assert rows['c9'] == ((1, 0), (1, 0))
    assert rows['c3'] == ((6, 2), (3, 1))
    assert rows['c5'] == ((0, 0), (0, 0))
    assert rows['all'] == ((7, 2), (3, 1))
    assert split.warnings == [
        'categories in no video: c11, c7, c5',
        'categories only in the training part: c9',
    ]


def test_each_category_has_its_share():
    split = split_videos(make_data(200), val_fraction=0.2)
    assert len(split.minival['videos']) == 40
    for row in split.counts:
        assert row.instances[1] == pytest.approx(
            0.2 * sum(row.instances), abs=1
        )


@pytest.mark.parametrize('group_by', [None, r'^(film\d+)_'])
def test_order_of_the_file_does_not_matter(group_by):
    data = make_data()
    first = split_videos(data, 0.25, group_by=group_by)
    for seed in range(3):
        other = copy.deepcopy(data)
        for key in ('videos', 'annotations'):
            random.Random(seed).shuffle(other[key])
        second = split_videos(other, 0.25, group_by=group_by)
        for one, two in (
            (first.train, second.train),
            (first.minival, second.minival),
        ):
            assert one == two
    # The order of categories is that of labels: kept, without effect.
    other['categories'].reverse()
    third = split_videos(other, 0.25, group_by=group_by)
    assert ids(third.minival) == ids(first.minival)
    assert third.minival['categories'][0]['id'] == 3


def test_seeds_give_other_splits_of_the_same_quality():
    splits = [split_videos(make_data(200), 0.2, seed=s) for s in range(4)]
    assert len({tuple(ids(split.minival)) for split in splits}) == 4
    for split in splits:
        for row in split.counts[:-1]:
            assert abs(row.instances[1] - 0.2 * sum(row.instances)) <= 1
    again = split_videos(make_data(200), 0.2, seed=3)
    assert digest(again) == digest(splits[3])


def test_same_split_in_a_process_with_another_hash_seed(tmp_path):
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(make_data()))
    code = (
        'import sys, json\n'
        'from pmvis_mm.datasets.video_split import split_videos\n'
        'data = json.load(open(sys.argv[1]))\n'
        "split = split_videos(data, 0.3, group_by='film[0-9]+')\n"
        "print(json.dumps([v['id'] for v in split.minival['videos']]))\n"
    )
    seed = '1' if os.environ.get('PYTHONHASHSEED') != '1' else '2'
    out = subprocess.run(
        [sys.executable, '-c', code, str(path)],
        env=dict(os.environ, PYTHONHASHSEED=seed),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    here = split_videos(make_data(), 0.3, group_by='film[0-9]+')
    assert json.loads(out.splitlines()[-1]) == ids(here.minival)


@pytest.mark.parametrize('pattern', [r'^(film\d+)_', r'film\d+'])
def test_groups_stay_together(pattern):
    split = split_videos(make_data(), 0.25, group_by=pattern)
    films = [{v // 4 for v in ids(p)} for p in (split.train, split.minival)]
    assert not films[0] & films[1]
    # Four videos each: 10 cannot be met, 8 and 12 are as close.
    assert len(split.minival['videos']) in (8, 12)
    assert any('groups are not divided' in text for text in split.warnings)


def test_videos_without_a_match_are_alone():
    data = make_data(12)
    for video in data['videos'][4:]:
        video['file_names'] = [f'{video["id"]}.jpg']
    split = split_videos(data, val_videos=5, group_by='film')
    assert len(split.minival['videos']) == 5
    first = {0, 1, 2, 3}
    assert first <= set(ids(split.train)) or first <= set(ids(split.minival))


def test_files_are_written_and_read_back(tmp_path):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(make_data()))
    split, paths = split_file(path, val_videos=7)
    assert [p.name for p in paths] == [
        'boxes_train.json',
        'boxes_minival.json',
    ]
    assert json.loads(paths[0].read_text()) == split.train
    assert json.loads(paths[1].read_text()) == split.minival
    _, other = split_file(path, tmp_path / 'new' / 'dir', val_videos=7)
    assert other[1].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in other[0].parent.iterdir()) == [
        'boxes_minival.json',
        'boxes_train.json',
    ]


def test_sets_without_labels_are_divided_by_number():
    data = make_data(10)
    data['annotations'] = None
    split = split_videos(data, val_fraction=0.3)
    assert split.train['annotations'] is None
    assert len(split.minival['videos']) == 3


def test_at_least_one_video_in_each_part():
    for fraction, number in ((0.01, 1), (0.99, 3)):
        split = split_videos(make_data(4), fraction)
        assert len(split.minival['videos']) == number


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(), 'just one'),
        (dict(val_fraction=0.1, val_videos=2), 'just one'),
        (dict(val_fraction=0.0), r'0\.0 is no share.*between 0 and 1'),
        (dict(val_fraction=1.0), r'1\.0 is no share'),
        (dict(val_fraction=float('nan')), 'nan is no share'),
        (dict(val_videos=2, seed=-1), 'seed=-1 is out of range'),
        (dict(val_videos=2, seed=2**32), 'from 0 to 4294967295'),
        (dict(val_videos=0), r'0 of 40 videos.*1 to 39'),
        (dict(val_videos=40), '40 of 40 videos'),
        (dict(val_videos=2, group_by='('), 'no regular expression'),
        (dict(val_videos=2, group_by='x+'), r"no video.*'film0_part0'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        split_videos(make_data(), **options)


def change(**changes):
    return dict(make_data(4), **changes)


@pytest.mark.parametrize(
    'data, message',
    [
        ([], 'expected a json object, got list'),
        (change(videos=[]), '"videos" is missing or empty'),
        (change(categories=None), '"categories" is missing or empty'),
        (change(annotations=dict(a=1)), '"annotations" is dict'),
        (make_data(1), 'a single video'),
        (change(videos=make_data(2)['videos'] * 2), 'duplicate video id 0'),
        (change(annotations=[dict(id=1)]), r'unknown video_id None'),
        (
            change(annotations=[dict(id=1, video_id=0, category_id=4)]),
            r'unknown category_id 4 \[file f.json, instance 1\]',
        ),
    ],
)
def test_bad_files_are_named(data, message):
    with pytest.raises(AnnotationError, match=message):
        split_videos(data, 0.5, file='f.json')


def test_groups_that_cannot_be_divided_are_named():
    with pytest.raises(AnnotationError, match='4 video.s. in one group'):
        split_videos(make_data(4), 0.5, group_by='film0')
    data = make_data(4)
    data['videos'][1]['file_names'] = []
    with pytest.raises(AnnotationError, match=r'without frames \[video 1\]'):
        split_videos(data, 0.5, group_by='film')


def test_bad_paths_are_named(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist'):
        split_file(tmp_path / 'none.json', val_videos=1)
    path = tmp_path / 'cut.json'
    path.write_text(json.dumps(make_data())[:-40])
    with pytest.raises(AnnotationError, match='not a json file'):
        split_file(path, val_videos=1)
    path.write_text(json.dumps(make_data()))
    blocked = tmp_path / 'file'
    blocked.write_text('')
    with pytest.raises(OutputError, match='cannot write'):
        split_file(path, blocked, val_videos=1)


def test_categories_of_one_name_are_counted_apart():
    data = make_data()
    for category in data['categories']:
        category['name'] = 'same'
    counts = split_videos(data, val_videos=4).counts
    assert len(counts) == 6
    total = sum(sum(row.instances) for row in counts[:-1])
    assert total == sum(counts[-1].instances) == 80
