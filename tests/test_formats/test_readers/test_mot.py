import cv2
import numpy as np
import pytest

from pmvis_mm.formats.readers import FrameFolders, MOTReader
from pmvis_mm.formats.readers.mot import MOT_CLASSES
from pmvis_mm.utils.errors import AnnotationError, ConfigError

INFO = """[Sequence]
name=bear
imDir=img1
frameRate=30
seqLength=4
imWidth=64
imHeight=48
imExt=.jpg
"""
TRUTH = """1,1,10,5,20,10,1,1,0.9
1,2,0.5,1.5,4,6,1,3,1
2,1,11,5,20,10,1,1,0.5
4,1,13,5,20,10,1,1,0.5
2,3,30,30,5,5,0,8,1
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def sequence(root, name='bear', table=TRUTH, info=INFO):
    write(root / name / 'gt/gt.txt', table)
    if info:
        write(root / name / 'seqinfo.ini', info)
    return root / name


def only(source, **options):
    (video,) = MOTReader(source, **options).videos()
    return video


def boxes(video):
    return {track.id: track.boxes for track in video.tracks}


def test_sequence_by_hand(tmp_path):
    video = only(sequence(tmp_path))
    assert (video.name, video.width, video.height) == ('bear', 64, 48)
    assert video.length == 4
    assert video.file_names == [f'bear/img1/00000{n}.jpg' for n in range(1, 5)]
    # As is: no 1 is taken off. Frame 3 of the file is a gap.
    assert boxes(video) == {
        1: {0: (10, 5, 30, 15), 1: (11, 5, 31, 15), 3: (13, 5, 33, 15)},
        2: {0: (0.5, 1.5, 4.5, 7.5)},
    }
    assert [t.category for t in video.tracks] == ['pedestrian', 'car']
    assert all(not track.scores for track in video.tracks)
    assert all(not track.iscrowd for track in video.tracks)
    assert MOTReader(tmp_path / 'bear').classes() is None


@pytest.mark.parametrize(
    'ignored, crowd', [('crowd', True), ('keep', False), ('drop', None)]
)
def test_lines_that_are_not_considered(tmp_path, ignored, crowd):
    video = only(sequence(tmp_path), ignored=ignored)
    found = {track.id: track.iscrowd for track in video.tracks}
    assert found.get(3) is crowd
    assert found[1] is False
    names = {track.id: track.category for track in video.tracks}
    assert names.get(3) == (None if crowd is None else 'distractor')


def test_track_that_is_ignored_for_a_while(tmp_path):
    table = '1,7,0,0,5,5,1,1,1\n2,7,1,0,5,5,0,1,1\n3,7,2,0,5,5,1,1,1\n'
    video = only(write(tmp_path / 'bear.txt', table), ignored='crowd')
    found = {t.id: (t.iscrowd, sorted(t.boxes)) for t in video.tracks}
    assert found == {7: (False, [0, 2]), '7 (ignored)': (True, [1])}


def test_results_of_trackers_have_scores(tmp_path):
    table = '1,1,0,0,5,5,0.5,-1,-1,-1\n2,1,0,0,5,5,1,-1,-1,-1\n'
    (track,) = only(write(tmp_path / 'bear.txt', table)).tracks
    assert track.scores == {0: 0.5, 1: 1}
    assert track.category is None
    # Beyond [0, 1] they are no scores of ours.
    table = table.replace('0.5', '73.5')
    (track,) = only(write(tmp_path / 'bear.txt', table)).tracks
    assert track.scores == {} and len(track.boxes) == 2
    # 0 and 1 look like flags; it can be said that they are not.
    table = '1,1,0,0,5,5,0\n2,1,0,0,5,5,1\n'
    path = write(tmp_path / 'bear.txt', table)
    (track,) = only(path).tracks
    assert sorted(track.boxes) == [1]
    (track,) = only(path, values='scores').tracks
    assert track.scores == {0: 0, 1: 1}


def test_score_of_minus_one_is_none(tmp_path):
    path = write(tmp_path / 'a.txt', '1,1,0,0,5,5,-1,-1,-1,-1\n')
    assert only(path).tracks[0].scores == {}


@pytest.mark.parametrize(
    'line',
    [
        '1,4,1,2,3,4',
        '1 4 1 2 3 4 1',
        '1, 4, 1.0, 2.0, 3.0, 4.0, 1, -1',
        '1\t4\t1\t2\t3\t4\t1\t-1\t-1',
        '1.0,4.0,1,2,3,4,1,-1,-1,-1,',
        '1,4,1,2,3,4,1,4.25,-3.5,0.125',
        '1,4,1e0,2,3,4,1,4,-3,0',
    ],
)
def test_columns(tmp_path, line):
    (track,) = only(write(tmp_path / 'a.txt', f'{line}\n')).tracks
    assert track.id == 4
    assert track.boxes == {0: (1, 2, 4, 6)}
    assert track.category is None


def test_ten_columns_with_class_as_visdrone(tmp_path):
    path = write(tmp_path / 'uav.txt', '1,4,1,2,3,4,1,9,0,0\n')
    names = {4: 'car', 9: 'bus'}
    reader = MOTReader(path, columns='class', class_names=names)
    (video,) = reader.videos()
    assert video.tracks[0].category == 'bus'
    assert reader.classes() == ('car', 'bus')


def test_class_names(tmp_path):
    path = write(tmp_path / 'a.txt', '1,4,1,2,3,4,1,2,1\n')
    assert only(path).tracks[0].category == MOT_CLASSES[1]
    names = ['cat', 'dog']
    assert only(path, class_names=names).tracks[0].category == 'dog'
    with pytest.raises(AnnotationError, match=r'line 1: class 2 has no name'):
        only(path, class_names={1: 'cat'})
    with pytest.raises(ConfigError, match="class_names='cat' is no list"):
        MOTReader(path, class_names='cat')
    with pytest.raises(ConfigError, match='key that is no number'):
        MOTReader(path, class_names={'cat': 1})
    write(tmp_path / 'seq/gt/gt.txt', '1,4,1,2,3,4,1,2,1\n')
    write(tmp_path / 'seq/gt/labels.txt', 'ant\r\nbig bee\r\n')
    reader = MOTReader(tmp_path / 'seq')
    assert next(reader.videos()).tracks[0].category == 'big bee'
    assert reader.classes() == ('ant', 'big bee')


def test_class_that_changes_is_the_most_frequent_one(tmp_path):
    lines = [f'{t},4,1,2,3,4,1,{n}\n' for t, n in enumerate([3, 1, 1], 1)]
    (track,) = only(write(tmp_path / 'a.txt', ''.join(lines))).tracks
    assert track.category == 'pedestrian'
    assert sorted(track.boxes) == [0, 1, 2]


def test_folder_of_sequences_in_natural_order(tmp_path):
    for name in ('MOT-10', 'MOT-2', 'größe 1'):
        sequence(tmp_path, name)
    write(tmp_path / 'readme.md', 'nothing')
    videos = list(MOTReader(tmp_path).videos())
    assert [v.name for v in videos] == ['größe 1', 'MOT-2', 'MOT-10']
    assert videos[1].file.endswith('gt.txt')


def test_folder_of_results(tmp_path):
    for name in ('MOT 02', 'MOT 1'):
        write(tmp_path / f'{name}.txt', '1,1,0,0,5,5,0.5,-1,-1,-1\n')
    names = [video.name for video in MOTReader(tmp_path).videos()]
    assert names == ['MOT 1', 'MOT 02']


def test_table_knows_its_sequence(tmp_path):
    folder = sequence(tmp_path)
    for source in (folder / 'gt/gt.txt', folder / 'gt'):
        assert only(source).name == 'bear'
        assert only(source).length == 4
    assert only(write(tmp_path / 'ant/gt.txt', TRUTH)).name == 'ant'
    assert only(write(tmp_path / 'bee.txt', TRUTH)).name == 'bee'


def test_seqinfo_without_suffix_names_no_frames(tmp_path):
    info = INFO.replace('imExt=.jpg\n', '').replace('seqLength', 'seqlength')
    video = only(sequence(tmp_path, info=info.replace('\n', '\r\n')))
    assert video.file_names is None and video.length == 4


@pytest.mark.parametrize(
    'info, message',
    [
        ('name=bear\n', 'not a seqinfo.ini'),
        ('[Other]\nname=bear\n', 'not a seqinfo.ini'),
        (
            INFO.replace('=4\n', '=many\n'),
            'seqlength=many is no number in 1',
        ),
        (
            INFO.replace('=4\n', '=99999999999\n'),
            'seqlength=99999999999 is no',
        ),
        (INFO.replace('=64', '=0'), 'imwidth=0 is no number in 1'),
    ],
)
def test_bad_seqinfo(tmp_path, info, message):
    folder = sequence(tmp_path, info=info)
    with pytest.raises(AnnotationError, match=message) as error:
        only(folder)
    assert str(folder / 'seqinfo.ini') in str(error.value)


def test_frames_on_disk(tmp_path):
    source = sequence(tmp_path / 'labels', info=None)
    root = tmp_path / 'frames'
    for n in range(4):
        path = root / f'bear/img1/{n:06d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((48, 64, 3), np.uint8))
    video = only(source, frames=FrameFolders(root))
    assert video.file_names == [f'bear/img1/{n:06d}.png' for n in range(4)]
    write(source / 'gt/gt.txt', '5,1,0,0,5,5,1,1,1\n')
    with pytest.raises(AnnotationError, match='line 1: frame 5 does not'):
        only(source, frames=FrameFolders(root))
    # Elsewhere than img1.
    (root / 'bear/img1').rename(root / 'bear/rgb')
    write(source / 'seqinfo.ini', INFO.replace('img1', 'rgb'))
    write(source / 'gt/gt.txt', TRUTH)
    video = only(source, frames=FrameFolders(root))
    assert video.file_names[0] == 'bear/rgb/000000.png'


def test_frame_numbers(tmp_path):
    path = write(tmp_path / 'a.txt', '0,1,0,0,5,5\n1,1,0,0,5,5\n')
    with pytest.raises(AnnotationError) as error:
        only(path)
    text = str(error.value)
    assert 'line 1: frame 0 comes before the first one, which is 1' in text
    assert f'file {path}' in text and 'video a' in text
    assert '--first-frame' in text
    assert sorted(only(path, first_frame=0).tracks[0].boxes) == [0, 1]
    folder = sequence(tmp_path, table='4,1,0,0,5,5\n')
    assert sorted(only(folder).tracks[0].boxes) == [3]
    with pytest.raises(AnnotationError, match='frame 4 does not exist') as err:
        only(folder, first_frame=0)
    assert 'numbered 0 to 3' in str(err.value)


@pytest.mark.parametrize(
    'table, message',
    [
        ('1,1,0,0,5,5\n2,1,0,0,0,5\n', 'no positive width.*line 2'),
        ('1,1,0,0,5,-5\n', r'no positive width and height'),
        ('1,1,nan,0,5,5\n', r'no finite number'),
        ('1,1,0,0,5,inf\n', r'no finite number'),
        ('1,-1,0,0,5,5\n', 'id -1 stands for a detection without track'),
        ('1,1,0,0,5,5\n1,1,1,0,5,5\n', r'two objects with one id.*line 2'),
        ('1,1,0,0,5,5\n2,1,0,0\n', r'line 2: 4 columns, not 6 as above'),
        ('1,1,0,0,5,5\n2,1,0,0,5,x\n', r"line 2: could not convert.*'x'"),
        ('1,1,0,0,5,5\n2.5,1,0,0,5,5\n', r'line 2: frame 2.5 is no whole'),
        ('1,1,0,0,5,5\ninf,1,0,0,5,5\n', r'line 2: .*infinity'),
        ('1,1,0,0,5,5\nnan,1,0,0,5,5\n', r'line 2: .*NaN'),
        ('99999999999,1,0,0,5,5\n', 'frame 99999999999 does not exist'),
        ('1,1,0,0,5,5\n2,1.5,0,0,5,5\n', r'line 2: id 1.5 is no whole'),
        ('1,1,0,0\n', 'not MOTChallenge text: line 1: 4 columns'),
        ('frame,id,x,y,w,h\n', 'not MOTChallenge text: line 1'),
        ('{"videos": []}', 'not MOTChallenge text'),
        ('', 'the file is empty'),
        (b'\xff\xfe\x00\x01', 'not MOTChallenge text: not text in UTF-8'),
    ],
)
def test_bad_tables(tmp_path, table, message):
    path = write(tmp_path / 'mit ä und leer.txt', table)
    with pytest.raises(AnnotationError, match=message) as error:
        only(path)
    assert f'file {path}' in str(error.value)
    assert 'Fix: ' in str(error.value)


def test_two_objects_with_one_id_are_named(tmp_path):
    table = '1,1,0,0,5,5,1,1\n1,1,0,0,5,5,0,1\n'
    path = write(tmp_path / 'bear.txt', table)
    with pytest.raises(AnnotationError, match='two objects with one') as error:
        only(path, ignored='crowd')
    found = error.value
    assert (found.video, found.frame, found.instance) == ('bear', 0, 1)


def test_other_formats_are_named(tmp_path):
    line = '1 2001 2 24 32 RLE0\n'
    with pytest.raises(AnnotationError, match='it looks like MOTS text'):
        only(write(tmp_path / 'a.txt', line))
    kitti = '0 1 Car 0 0 -1.5 1 2 3 4 1.5 1.6 3.7 0 0 0 0\n'
    with pytest.raises(AnnotationError, match='17 columns, not 6'):
        only(write(tmp_path / 'a.txt', kitti))


def test_windows_text_and_repeated_lines(tmp_path):
    table = '\ufeff1,1,0,0,5,5\r\n\r\n1,1,0,0,5,5\r\n2,1,0,0,5,5\r\n'
    (track,) = only(write(tmp_path / 'a.txt', table)).tracks
    assert sorted(track.boxes) == [0, 1]


def test_missing_sources(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist'):
        only(tmp_path / 'nothing')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(AnnotationError, match='neither <sequence>/gt/gt.txt'):
        only(tmp_path / 'empty')
    write(tmp_path / 'test/MOT-01/seqinfo.ini', INFO)
    with pytest.raises(AnnotationError, match='has no gt/gt.txt.*training'):
        only(tmp_path / 'test')


@pytest.mark.parametrize('option', ['ignored', 'values', 'columns'])
def test_unknown_options(tmp_path, option):
    with pytest.raises(ConfigError, match=f"{option}='x' is unknown"):
        MOTReader(tmp_path, **{option: 'x'})


# ------------------------------------------------- other people's readers
def big_sequence(root):
    """A sequence of 20 frames with gaps, other classes and ignored lines."""
    rng = np.random.default_rng(3)
    lines = []
    for key in range(1, 6):
        for frame in sorted(rng.choice(20, 12, replace=False) + 1):
            x, y, w, h = np.round(rng.uniform(1, 40, 4), 2)
            flag = int(key != 4)
            kind = 1 if key < 4 else 7
            lines.append(f'{frame},{key},{x},{y},{w},{h},{flag},{kind},1.0\n')
    info = INFO.replace('=4\n', '=20\n')
    return sequence(root, table=''.join(lines), info=info)


def by_frame(video):
    return {
        (t, track.id): (box[0], box[1], box[2] - box[0], box[3] - box[1])
        for track in video.tracks
        for t, box in track.boxes.items()
    }


def test_trackeval_reads_the_same(tmp_path):
    trackeval = pytest.importorskip('trackeval')
    big_sequence(tmp_path / 'gt')
    ours = by_frame(only(tmp_path / 'gt/bear', ignored='keep'))
    result = tmp_path / 'tr/ours/data/bear.txt'
    write(result, (tmp_path / 'gt/bear/gt/gt.txt').read_text())
    dataset = trackeval.datasets.MotChallenge2DBox(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SEQ_INFO={'bear': 20},
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
        )
    )
    raw = dataset.get_raw_seq_data('ours', 'bear')
    theirs = {
        (t, int(key)): tuple(box)
        for t in range(20)
        for key, box in zip(raw['gt_ids'][t], raw['gt_dets'][t])
    }
    assert ours.keys() == theirs.keys() and len(ours) == 60
    for place, box in ours.items():
        assert box == pytest.approx(theirs[place])


def test_motmetrics_reads_the_same_but_counts_pixels_from_1(tmp_path):
    metrics = pytest.importorskip('motmetrics')
    folder = big_sequence(tmp_path)
    table = metrics.io.loadtxt(
        str(folder / 'gt/gt.txt'), fmt='mot16', min_confidence=1
    )
    ours = by_frame(only(folder))
    columns = table[['X', 'Y', 'Width', 'Height']]
    theirs = {
        (frame - 1, key): (x + 1, y + 1, w, h)
        for (frame, key), x, y, w, h in columns.itertuples()
    }
    assert ours.keys() == theirs.keys() and len(ours) == 48
    for place, box in ours.items():
        assert box == pytest.approx(theirs[place])


def test_datumaro_writes_and_reads_the_same(tmp_path):
    datumaro = pytest.importorskip('datumaro')
    from datumaro.components.annotation import Bbox
    from datumaro.components.media import Image

    items = [
        datumaro.DatasetItem(
            id=str(frame),
            media=Image.from_numpy(np.zeros((48, 64, 3), np.uint8)),
            annotations=[
                Bbox(
                    2 * frame,
                    3,
                    5.5,
                    6,
                    label=key % 2,
                    attributes=dict(track_id=key),
                )
                for key in (1, 2)
            ],
        )
        for frame in (1, 2, 4)
    ]
    dataset = datumaro.Dataset.from_iterable(
        items, categories=['ant', 'big bee']
    )
    dataset.export(str(tmp_path / 'seq'), 'mot_seq_gt')
    reader = MOTReader(tmp_path / 'seq')
    (video,) = reader.videos()
    box = {t: (2 * t + 2, 3, 2 * t + 7.5, 9) for t in (0, 1, 3)}
    assert boxes(video) == {1: box, 2: box}
    assert [t.category for t in video.tracks] == ['big bee', 'ant']
    assert reader.classes() == ('ant', 'big bee')
