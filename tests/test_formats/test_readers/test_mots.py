import time

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pmvis_mm.formats import MOTSWriter, write_mask_set
from pmvis_mm.formats.readers import (
    FrameFolders,
    MOTSReader,
    import_annotations,
)
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, VideoInfo
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.utils.errors import AnnotationError, ConfigError

SIZE = (24, 32)  # height, width


def fill(*box):
    return box_rle(box, *SIZE)


def line(frame, key, kind, mask):
    height, width = mask['size']
    return f'{frame} {key} {kind} {height} {width} {mask["counts"]}\n'


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def only(source, **options):
    (video,) = MOTSReader(source, **options).videos()
    return video


def masks(video):
    return {track.id: track.masks for track in video.tracks}


LINES = [
    line(1, 2001, 2, fill(4, 2, 14, 12)),
    line(1, 1001, 1, fill(14, 2, 20, 12)),
    line(3, 2001, 2, fill(5, 2, 15, 12)),
    line(1, 10000, 10, fill(0, 20, 32, 24)),
]


def test_lines_by_hand(tmp_path):
    video = only(write(tmp_path / '0002.txt', ''.join(LINES)))
    assert (video.name, video.height, video.width) == ('0002', 24, 32)
    assert video.length is None and video.file_names is None
    # Frame 2 of the file is a gap.
    assert masks(video) == {
        2001: {0: fill(4, 2, 14, 12), 2: fill(5, 2, 15, 12)},
        1001: {0: fill(14, 2, 20, 12)},
        10000: {0: fill(0, 20, 32, 24)},
    }
    boxes = {track.id: track.boxes for track in video.tracks}
    assert boxes[2001] == {0: (4, 2, 14, 12), 2: (5, 2, 15, 12)}
    found = {t.id: (t.category, t.iscrowd) for t in video.tracks}
    assert found == {
        2001: ('pedestrian', False),
        1001: ('car', False),
        10000: (None, True),
    }


def test_ignored_regions_of_a_frame_are_united(tmp_path):
    text = LINES[3] + line(1, 10000, 10, fill(0, 0, 5, 2))
    video = only(write(tmp_path / 'a.txt', text))
    dense = coco_mask.decode(video.tracks[0].masks[0])
    assert dense.sum() == 32 * 4 + 10 and dense[0, 4] and dense[23, 31]
    assert video.tracks[0].boxes == {0: (0, 0, 32, 24)}


def test_ignored_regions_need_a_class_in_a_dataset(tmp_path):
    path = write(tmp_path / 'a.txt', ''.join(LINES))
    options = dict(with_masks=True, invent_names=True)
    content, report = import_annotations(path, **options)
    assert [c['name'] for c in content['categories']] == ['car', 'pedestrian']
    assert len(content['annotations']) == 2
    assert report.dropped == {'regions without a class that are not judged': 1}
    content, _ = import_annotations(path, default_class='person', **options)
    assert [a['iscrowd'] for a in content['annotations']] == [0, 0, 1]


def test_masks_may_overlap_and_empty_ones_are_left_out(tmp_path):
    text = line(1, 1, 1, fill(0, 0, 9, 9)) + line(1, 2, 1, fill(5, 5, 20, 20))
    text += line(1, 3, 1, encode(np.zeros(SIZE, bool)))
    found = masks(only(write(tmp_path / 'a.txt', text)))
    assert found == {1: {0: fill(0, 0, 9, 9)}, 2: {0: fill(5, 5, 20, 20)}}


def test_kitti_counts_from_0(tmp_path):
    path = write(tmp_path / '0000.txt', LINES[0].replace('1 ', '0 ', 1))
    with pytest.raises(AnnotationError) as error:
        only(path)
    text = str(error.value)
    assert 'line 1: frame 0 comes before the first one, which is 1' in text
    assert 'video 0000' in text and '--first-frame' in text
    assert masks(only(path, first_frame=0))[2001].keys() == {0}


def test_frames_on_disk_limit_the_numbers(tmp_path):
    from PIL import Image

    for n in range(2):
        path = tmp_path / f'frames/0002/{n:06d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (32, 24)).save(path)
    path = write(tmp_path / 'txt/0002.txt', ''.join(LINES))
    frames = FrameFolders(tmp_path / 'frames')
    with pytest.raises(AnnotationError, match='line 3: frame 3 does not'):
        only(path, frames=frames)
    write(path, LINES[0])
    assert only(path, frames=frames).file_names[1] == '0002/000001.jpg'


def test_sequence_folders(tmp_path):
    info = '[Sequence]\nname=x\nseqLength=9\nimWidth=32\nimHeight=24\n'
    for name in ('MOTS20-11', 'MOTS20-02 ü'):
        write(tmp_path / name / 'gt/gt.txt', LINES[0])
        write(tmp_path / name / 'seqinfo.ini', info)
    videos = list(MOTSReader(tmp_path).videos())
    assert [v.name for v in videos] == ['MOTS20-02 ü', 'MOTS20-11']
    assert [v.length for v in videos] == [9, 9]


def test_class_names(tmp_path):
    text = line(1, 1, 9, fill(0, 0, 4, 4)) + line(1, 2, 11, fill(5, 5, 9, 9))
    path = write(tmp_path / 'a.txt', text)
    names = [f'class {n}' for n in range(10)]
    reader = MOTSReader(path, class_names=names)
    (video,) = reader.videos()
    # 10 is left free, as by the writer.
    assert [t.category for t in video.tracks] == ['class 8', 'class 9']
    assert reader.classes() == tuple(names)
    with pytest.raises(AnnotationError, match='line 2: class 11 has no name'):
        only(path, class_names={9: 'x'})
    assert MOTSReader(path).classes() is None
    with pytest.raises(ConfigError, match='is no list'):
        MOTSReader(path, class_names='car')


@pytest.mark.parametrize(
    'text, message',
    [
        (LINES[0] + LINES[2][:-6], 'line 2: counts add up to'),
        (LINES[0] + LINES[2][:9], 'line 2: 3 columns, not 6'),
        (LINES[0] + '3 2001 2 24 32 !!\n', 'line 2: counts are neither'),
        (LINES[0] + '3 2001 2 24 32 54\n', 'line 2: counts add up to'),
        (LINES[0] + '3 2001 2 24 33 54\n', r'line 2: size \[24, 33\] differs'),
        (LINES[0] + '3 2001 2 0 32 54\n', 'line 2: height or width is 0'),
        (LINES[0] + '3 -1 2 24 32 54\n', 'line 2: .* not five whole numbers'),
        (LINES[0] + 'nan 1 2 24 32 54\n', 'line 2: .* not five whole'),
        (
            LINES[0] + line(1, 2001, 2, fill(0, 0, 1, 1)),
            r'two objects with one id.*line 2.*video bad ü, frame 0, inst',
        ),
        (LINES[0] + '3 2001 3 24 32 54\n', 'line 2: class 3 has no name'),
        ('{"a": 1}', 'not MOTS text: line 1'),
        ('', 'the file is empty'),
        (b'\x89PNG\r\n\x1a\n\xff', 'not MOTS text: not text in UTF-8'),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = write(tmp_path / 'mein frames/bad ü.txt', text)
    with pytest.raises(AnnotationError, match=message) as error:
        only(path)
    assert f'file {path}' in str(error.value) and 'Fix: ' in str(error.value)


def test_other_formats_are_named(tmp_path):
    path = write(tmp_path / 'a.txt', '1,1,0,0,5,5,1,1,1\n')
    with pytest.raises(AnnotationError, match='looks like MOTChallenge text'):
        only(path)


def test_windows_text_and_repeated_lines(tmp_path):
    text = '\ufeff' + (LINES[0] * 2).replace('\n', '\r\n')
    video = only(write(tmp_path / 'a.txt', text))
    assert masks(video) == {2001: {0: fill(4, 2, 14, 12)}}


# ------------------------------------------------------------ round trips
def mask_set(tracks, categories, length=4):
    video = VideoInfo(7, 32, 24, tuple(f'b/{t}.jpg' for t in range(length)))
    made = []
    for key, (category, found) in tracks.items():
        track = MaskTrack(
            id=key,
            video_id=7,
            category_id=category,
            masks=[found.get(t) for t in range(length)],
            boxes=[None] * length,
            sources=['x' if t in found else None for t in range(length)],
            scores=[None] * length,
        )
        made.append(track)
    return PseudoMaskSet(
        videos={7: video}, categories=categories, tracks={7: made}
    )


def random_tracks(rng):
    """Masks that do not overlap: each pixel has one owner."""
    owner = rng.integers(0, 4, (4, *SIZE))
    return {
        key: (
            key,
            {t: encode(owner[t] == key) for t in range(4) if t != key},
        )
        for key in (1, 2, 3)
    }


@pytest.mark.parametrize('first_frame', [0, 1])
def test_what_we_write_comes_back(tmp_path, first_frame):
    tracks = random_tracks(np.random.default_rng(0))
    names = ['ant', 'big bee', 'cat']
    categories = [dict(id=n, name=name) for n, name in enumerate(names, 1)]
    path = tmp_path / 'b.txt'
    writer = MOTSWriter(path, first_frame=first_frame, id_offset=0)
    write_mask_set(mask_set(tracks, categories), 7, [writer])
    video = only(path, first_frame=first_frame, class_names=names)
    assert (video.height, video.width) == SIZE
    # Ids of tracks are class * 1000 + number.
    assert masks(video) == {1001 * k: m for k, (_, m) in tracks.items()}
    assert {t.id: t.category for t in video.tracks} == {
        1001 * n: name for n, name in enumerate(names, 1)
    }


def test_trackeval_reads_the_same(tmp_path):
    trackeval = pytest.importorskip('trackeval')
    rng = np.random.default_rng(1)
    text = ''
    for frame in range(1, 5):
        owner = rng.integers(0, 5, SIZE)
        rows = [(2001, 2, 1), (2002, 2, 2), (1001, 1, 3), (10000, 10, 4)]
        for key, kind, value in rows:
            text += line(frame, key, kind, encode(owner == value))
    write(tmp_path / 'gt/bear/gt/gt.txt', text)
    write(tmp_path / 'tr/ours/data/bear.txt', text)
    dataset = trackeval.datasets.MOTSChallenge(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SEQ_INFO={'bear': 4},
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
        )
    )
    raw = dataset._load_raw_file(None, 'bear', is_gt=True)
    ours = {t.id: t for t in only(tmp_path / 'gt/bear').tracks}
    assert set(ours) == {2001, 2002, 1001, 10000}
    for t in range(4):
        assert raw['gt_ids'][t].tolist() == [2001, 2002, 1001]
        for key, theirs in zip(raw['gt_ids'][t], raw['gt_dets'][t]):
            assert ours[key].masks[t]['counts'] == theirs['counts'].decode()
        region = raw['gt_ignore_region'][t]
        np.testing.assert_array_equal(
            coco_mask.decode(ours[10000].masks[t]), coco_mask.decode(region)
        )


def test_kitti_mots_of_trackeval_reads_the_same(tmp_path):
    trackeval = pytest.importorskip('trackeval')
    text = ''.join(
        line(t, key, kind, fill(x, t, x + 5, t + 6))
        for t in range(3)
        for key, kind, x in ((1001, 1, 0), (2001, 2, 9))
    )
    names = ('0002', '0006')
    seqmap = ''.join(f'{name} empty 000000 000002\n' for name in names)
    write(tmp_path / 'gt/evaluate_mots.seqmap.val', seqmap)
    for name in names:
        write(tmp_path / f'gt/label_02/{name}.txt', text)
        write(tmp_path / f'tr/ours/data/{name}.txt', text)
    dataset = trackeval.datasets.KittiMOTS(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            PRINT_CONFIG=False,
        )
    )
    raw = dataset._load_raw_file(None, '0002', is_gt=True)
    ours = masks(only(tmp_path / 'gt/label_02/0002.txt', first_frame=0))
    for t in range(raw['num_timesteps']):
        found = zip(raw['gt_ids'][t], raw['gt_dets'][t])
        theirs = {int(key): mask['counts'].decode() for key, mask in found}
        assert theirs == {k: m[t]['counts'] for k, m in ours.items()}


def test_many_lines_stay_fast(tmp_path):
    y, x = np.mgrid[:720, :1280]
    mask = encode((x - 400) ** 2 + (y - 300) ** 2 < 80**2)
    rows = [line(t, 2000 + n, 2, mask) for t in range(1, 201) for n in (1, 2)]
    path = write(tmp_path / 'a.txt', ''.join(rows))
    start = time.perf_counter()
    video = only(path)
    # 0.05 s on a laptop; 10 times the objects would take 0.5 s.
    assert time.perf_counter() - start < 2
    assert sum(len(track.masks) for track in video.tracks) == 400


def test_empty_table_among_others_is_a_video_without_tracks(tmp_path):
    write(tmp_path / 'a.txt', '')
    write(tmp_path / 'b.txt', LINES[0])
    first, second = MOTSReader(tmp_path).videos()
    assert (first.name, first.tracks, first.width) == ('a', [], None)
    assert len(second.tracks) == 1


def test_masks_without_a_pixel_are_counted(tmp_path):
    text = line(1, 1001, 1, fill(1, 2, 5, 6)) + line(
        1, 1002, 1, fill(0, 0, 0, 0)
    )
    video = only(write(tmp_path / 'a.txt', text))
    assert [track.id for track in video.tracks] == [1001]
    assert video.dropped == {'masks without a pixel': 1}
