"""Building the index of a review and reading it, on the tiny review."""

import json
import signal
import sqlite3

import pytest

from pmvis_mm.review import build_index
from pmvis_mm.review.index import CHUNK
from pmvis_mm.review.review_index import ReviewIndex
from pmvis_mm.structures import (
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.review_page import FRAMES, SHIFTS, SIZE
from pmvis_mm.utils.errors import MaskSetError, OutputError, ReviewError


@pytest.fixture
def index(review_data):
    return ReviewIndex(review_data / 'review.sqlite')


def ids(found):
    return [row['id'] for row in found['rows']]


def test_index_knows_the_whole_review(index, review_data):
    assert index.title == 'Tiny review'
    assert index.sources == ['good', 'bad']
    assert index.categories == {3: 'square', 0: 'bar'}
    assert (index.num_videos, index.num_tracks) == (4, 8)
    assert index.img_prefix == str(review_data / 'JPEGImages')
    assert index.final['file'] == 'final.json'
    assert len(index.final['sha256']) == 64
    assert index.lengths() == dict.fromkeys(range(8), FRAMES)


def test_measures_of_a_track(index):
    row = index.track(2)  # a square, 6 of its 8 columns outside of the box
    assert SHIFTS[1] == 6
    assert row['overflow'] == pytest.approx(6 / 8)
    assert row['agreement'] == pytest.approx(2 / 14, abs=1e-4)
    assert row['area_jump'] == row['missing'] == 0
    assert row['score'] == 0.5
    assert (row['num_boxes'], row['num_masks']) == (FRAMES, FRAMES)
    frames = index.frames(2)
    assert frames['box'][1] == [6, 6, 14, 14]
    assert frames['source'] == ['bad'] * FRAMES
    assert frames['overflow'] == [0.75] * FRAMES
    assert frames['flicker'] == [None] + [0] * (FRAMES - 1)
    assert index.matters(3) == [True] * (FRAMES - 1) + [False]


def test_the_worst_shift_is_the_most_suspicious(index):
    found = index.find_tracks({})
    assert found['total'] == 8
    squares = [i for i in ids(found) if i % 2 == 0]
    assert [SHIFTS[i // 2] for i in squares] == [6, 4, 2, 0]
    reverse = index.find_tracks({}, descending=False)
    values = [row['suspicion'] for row in reverse['rows']]
    assert values == sorted(values)


def test_parts_of_the_list(index):
    everything = ids(index.find_tracks({}, sort='id', descending=False))
    assert everything == list(range(8))
    some = index.find_tracks(
        {}, offset=3, limit=2, sort='id', descending=False
    )
    assert ids(some) == [3, 4]
    assert (some['total'], some['offset']) == (8, 3)
    assert ids(index.find_tracks({}, offset=8)) == []
    by_video = index.find_tracks({}, sort='video', limit=2)
    assert ids(by_video) == [6, 7]


def test_filters(index):
    def find(**options):
        return ids(
            index.find_tracks(statuses, sort='id', descending=False, **options)
        )

    statuses = {2: 'rejected', 5: 'accepted'}
    assert find(category=0) == [1, 3, 5, 7]
    assert find(category=99) == []
    assert find(status='rejected') == [2]
    assert find(status='changed') == []
    assert find(status='open') == [0, 1, 3, 4, 6, 7]
    assert find(search='v2') == [4, 5]
    assert find(search='SQUARE') == [0, 2, 4, 6]
    assert find(search='6') == [6]
    assert find(search='%') == []  # a plain character
    assert find(search="'; DROP TABLE tracks") == []
    assert find(search='bar', category=0, status='open') == [1, 3, 7]
    rows = index.find_tracks(statuses, sort='id')['rows']
    assert [r['status'] for r in rows if r['id'] == 5] == ['accepted']


def test_what_has_no_value_is_last_in_both_orders(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    final.tracks[0][0].scores = [None] * FRAMES
    build_index(tmp_path / 'i', final, {})
    index = ReviewIndex(tmp_path / 'i')
    for descending in (True, False):
        found = index.find_tracks({}, sort='score', descending=descending)
        assert ids(found)[-1] == 0
        assert found['rows'][-1]['score'] is None
        assert found['rows'][0]['agreement'] is None  # no other source


def test_masks_are_those_of_the_sets(index, review_data):
    final = {t.id: t for t in PseudoMaskSet.load(review_data / 'final.json')}
    good = {t.id: t for t in PseudoMaskSet.load(review_data / 'good.json')}
    for key in (2, 3):
        row = index.track(key)
        assert index.masks(row, 'final', 0, FRAMES) == final[key].masks
        assert index.masks(row, 'good', 2, 5) == good[key].masks[2:5]
        assert index.masks(row, 'good', 3, 3) == []
    there = index.available(index.track(3))
    expected = [True] * (FRAMES - 1) + [False]
    assert there == dict(good=expected, bad=expected)


def test_neighbours_and_videos(index):
    assert index.neighbours(index.track(4)) == [5]
    video = index.video(2)
    assert (video.height, video.width) == SIZE
    assert video.file_names[0] == 'v2/00000.png'
    assert len(video.file_names) == FRAMES
    with pytest.raises(ReviewError, match='no such track'):
        index.track(99)
    with pytest.raises(ReviewError, match='no such video'):
        index.video(99)


def test_long_tracks_are_read_in_parts(tmp_path):
    length = 2 * CHUNK + 5
    video = VideoInfo(1, 40, 30, tuple(f'{t}.png' for t in range(length)))
    boxes = [(1.0, 1.0, 9.0, 9.0)] * length
    track = MaskTrack.empty_like(BoxTrack(3, 1, 1, boxes))
    kept = [t for t in range(length) if t < 3 or t > 2 * CHUNK]
    for t in kept:
        track.set(t, box_rle((1, 1, 2 + t % 7, 9), 30, 40), 's')
    final = PseudoMaskSet({1: video}, [dict(id=1)], {1: [track]})
    counts = build_index(tmp_path / 'i', final, dict(s=final))
    assert counts == dict(videos=1, tracks=1, masks=2 * len(kept))
    index = ReviewIndex(tmp_path / 'i')
    row = index.track(3)
    for start, stop in ((0, length), (2, CHUNK + 1), (CHUNK, 2 * CHUNK + 3)):
        assert index.masks(row, 's', start, stop) == track.masks[start:stop]
    assert index.available(row)['s'] == [t in kept for t in range(length)]
    assert row['category'] == '1'  # a category without a name
    rows = sqlite3.connect(tmp_path / 'i').execute('SELECT start FROM masks')
    # Nothing is stored for the middle, where there is no mask.
    assert sorted(rows) == [(0,), (0,), (2 * CHUNK,), (2 * CHUNK,)]


def test_annotated_tracks_without_a_final_mask_are_reviewed(
    tmp_path, review_data
):
    final = PseudoMaskSet.load(review_data / 'final.json')
    final.tracks[1] = []
    boxes = VideoAnnotations.from_file(review_data / 'instances.json')
    sources = dict(good=review_data / 'good.json')
    build_index(tmp_path / 'i', final, sources, boxes)
    index = ReviewIndex(tmp_path / 'i')
    assert index.num_tracks == 8
    row = index.track(2)
    assert (row['num_masks'], row['missing'], row['suspicion']) == (0, 1, 1)
    assert index.available(row)['good'] == [True] * FRAMES
    assert index.masks(row, 'final', 0, FRAMES) == [None] * FRAMES
    assert ids(index.find_tracks({}))[:2] == [2, 3]


def test_sources_may_lack_videos_and_tracks(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    good = PseudoMaskSet.load(review_data / 'good.json')
    for key in (1, 2, 3):
        del good.videos[key], good.tracks[key]
    good.tracks[0].pop()
    build_index(tmp_path / 'i', final, dict(good=good))
    index = ReviewIndex(tmp_path / 'i')
    assert list(index.available(index.track(0))) == ['good']
    assert index.available(index.track(1)) == {}
    assert index.track(0)['agreement'] is not None
    assert index.track(2)['agreement'] is None


def test_urls_stay_as_they_are(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    build_index(tmp_path / 'i', final, {}, img_prefix='s3://bucket/frames')
    assert ReviewIndex(tmp_path / 'i').img_prefix == 's3://bucket/frames'


# ------------------------------------------------------------------ bad input
def test_a_failed_build_leaves_the_old_index(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    path = tmp_path / 'i'
    build_index(path, final, {}, title='old')
    cut = tmp_path / 'cut.json'
    cut.write_text((review_data / 'good.json').read_text()[:500])
    with pytest.raises(MaskSetError, match='not a json file'):
        build_index(path, final, dict(cut=cut), title='new')
    assert ReviewIndex(path).title == 'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['cut.json', 'i']


def test_sources_of_other_videos(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    other = PseudoMaskSet.load(review_data / 'good.json')
    video = other.videos[1]
    other.videos[1] = VideoInfo(1, 97, video.height, video.file_names)
    with pytest.raises(MaskSetError, match='size, length or frames differ'):
        build_index(tmp_path / 'i', final, dict(other=other))
    other.videos = {9: video}
    with pytest.raises(MaskSetError, match='has no video of'):
        build_index(tmp_path / 'i', final, dict(other=other))


@pytest.mark.parametrize('name', ['accept', 'final', 'reviewed', ' '])
def test_names_that_mean_something_else(tmp_path, review_data, name):
    final = PseudoMaskSet.load(review_data / 'final.json')
    with pytest.raises(ReviewError, match='a source cannot be named'):
        build_index(tmp_path / 'i', final, {name: final})


def test_masks_without_an_annotation(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    data = json.loads((review_data / 'instances.json').read_text())
    data['annotations'].pop()
    (tmp_path / 'boxes.json').write_text(json.dumps(data))
    boxes = VideoAnnotations.from_file(tmp_path / 'boxes.json')
    with pytest.raises(MaskSetError, match='no annotation with this id'):
        build_index(tmp_path / 'i', final, {}, boxes)


def test_folder_that_cannot_be_written(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write here'):
        build_index(tmp_path / 'file' / 'i', final, {})


def test_a_full_disk(tmp_path, review_data):
    resource = pytest.importorskip('resource', reason='limits of POSIX')
    final = PseudoMaskSet.load(review_data / 'final.json')
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, limit[1]))
    try:
        with pytest.raises(OutputError, match='the index cannot be written'):
            build_index(tmp_path / 'i', final, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_index(tmp_path):
    with pytest.raises(ReviewError, match='does not exist'):
        ReviewIndex(tmp_path / 'no.sqlite')
    path = tmp_path / 'x.sqlite'
    path.write_text('text, not a database, long enough to be looked at' * 9)
    with pytest.raises(ReviewError, match='not the index of a review'):
        ReviewIndex(path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute('CREATE TABLE other (id INTEGER)')
    with pytest.raises(ReviewError, match='not the index of a review'):
        ReviewIndex(path)
    with sqlite3.connect(path) as db:
        db.execute('CREATE TABLE meta (key TEXT, value TEXT)')
        db.execute("INSERT INTO meta VALUES ('author', 'no json')")
    with pytest.raises(ReviewError, match='not the index of a review'):
        ReviewIndex(path)


def test_index_of_another_format(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    build_index(tmp_path / 'i', final, {})
    with sqlite3.connect(tmp_path / 'i') as db:
        db.execute("UPDATE meta SET value = '0' WHERE key = 'format'")
    with pytest.raises(ReviewError, match='index of format 0, not 1'):
        ReviewIndex(tmp_path / 'i')


def test_path_with_odd_characters(tmp_path, review_data):
    final = PseudoMaskSet.load(review_data / 'final.json')
    path = tmp_path / 'a b?#%.sqlite'
    build_index(path, final, {})
    assert ReviewIndex(path).num_tracks == 8


def test_names_with_odd_letters(tmp_path, review_data):
    data = json.loads((review_data / 'final.json').read_text())
    for category, name in zip(data['categories'], ['Größe <b>', 'x\udce4']):
        category['name'] = name
    final = PseudoMaskSet.from_json(data, 'final.json')
    build_index(tmp_path / 'i', final, {})
    index = ReviewIndex(tmp_path / 'i')
    number = index.find_tracks({}, search='GRÖSSE <B>')['total']
    assert number == 4
    assert index.find_tracks({}, search='x?')['total'] == 4


@pytest.mark.parametrize('key', ['videos', 'categories', 'annotations'])
def test_ids_that_a_browser_would_round(tmp_path, review_data, key):
    data = json.loads((review_data / 'final.json').read_text())
    old, new = data[key][0]['id'], 2**53
    data[key][0]['id'] = new
    name = dict(videos='video', categories='category').get(key)
    for entry in data['annotations']:
        if entry.get(f'{name}_id') == old:
            entry[f'{name}_id'] = new
    final = PseudoMaskSet.from_json(data, 'final.json')
    with pytest.raises(ReviewError, match=f'id {new} is too large'):
        build_index(tmp_path / 'i', final, {})
    assert list(tmp_path.iterdir()) == []
