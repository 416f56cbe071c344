import json
import os

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats import IndexedPNGWriter, write_mask_set
from pmvis_mm.formats.readers import (
    DAVISReader,
    FrameFolders,
    guess_reader,
)
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, VideoInfo
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.testing.tiny_vos import (
    tiny_labels,
    write_tiny_davis,
    write_tiny_youtube_vos,
)
from pmvis_mm.testing.videos import write_mp4
from pmvis_mm.utils.errors import AnnotationError, FrameError

SIZE = (24, 32)  # height, width


def paint(**values):
    """Labels with squares 'v3=(x0, y0, x1, y1)' of value 3."""
    labels = np.zeros(SIZE, np.uint16)
    for name, (x0, y0, x1, y1) in values.items():
        labels[y0:y1, x0:x1] = int(name[1:])
    return labels


def save(path, labels, palette=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = labels.astype(np.uint16 if labels.max() > 255 else np.uint8)
    image = Image.fromarray(labels)
    if palette and labels.dtype == np.uint8:
        image.putpalette(list(range(256)) * 3)
    image.save(path)
    return path


def save_frames(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE[::-1]).save(path)
    return FrameFolders(root)


def only(source, **options):
    (video,) = DAVISReader(source, **options).videos()
    return video


def masks(video):
    return {track.id: track.masks for track in video.tracks}


def fill(*box):
    return box_rle(box, *SIZE)


@pytest.mark.parametrize('palette', [True, False])
def test_folder_of_a_video_by_hand(tmp_path, palette):
    folder = tmp_path / 'bär 1'
    save(folder / '2.png', paint(v1=(4, 2, 14, 12)), palette)
    save(
        folder / '10.png',
        paint(v1=(5, 2, 15, 12), v3=(20, 3, 25, 9), v255=(0, 20, 32, 24)),
        palette,
    )
    (folder / '._2.png').write_bytes(b'of macOS')
    (folder / 'notes.txt').write_text('mine')
    video = only(folder)
    assert (video.name, video.height, video.width) == ('bär 1', 24, 32)
    assert video.file_names == ['bär 1/2.jpg', 'bär 1/10.jpg']
    assert video.length == 2
    assert masks(video) == {
        1: {0: fill(4, 2, 14, 12), 1: fill(5, 2, 15, 12)},
        3: {1: fill(20, 3, 25, 9)},
        255: {1: fill(0, 20, 32, 24)},
    }
    assert video.tracks[0].boxes == {0: (4, 2, 14, 12), 1: (5, 2, 15, 12)}
    assert [t.iscrowd for t in video.tracks] == [False, False, True]
    assert all(track.category is None for track in video.tracks)


def test_layout_of_davis(tmp_path):
    names = write_tiny_davis(tmp_path, num_videos=2, num_frames=3)
    # The original resolution lies beside 480p.
    save(tmp_path / 'Annotations/Full-Resolution/d0/00000.png', paint())
    for source in (
        tmp_path,
        tmp_path / 'Annotations',
        tmp_path / 'Annotations/480p',
    ):
        videos = list(DAVISReader(source).videos())
        assert [video.name for video in videos] == names
        for t in range(3):
            labels = tiny_labels(t)
            for track in videos[1].tracks:
                expected = labels == track.id
                assert (t in track.masks) == expected.any()
                if expected.any():
                    assert track.masks[t] == encode(expected)
    frames = FrameFolders(tmp_path / 'JPEGImages/480p')
    video = next(DAVISReader(tmp_path, frames=frames).videos())
    assert video.file_names == [f'd0/0000{t}.jpg' for t in range(3)]


def test_several_resolutions_are_refused(tmp_path):
    for name in ('1080p', 'Full-Resolution'):
        save(
            tmp_path / f'Annotations/{name}/bear/0.png', paint(v1=(0, 0, 9, 9))
        )
    with pytest.raises(AnnotationError, match='several sets of videos: 1080p'):
        only(tmp_path)
    assert only(tmp_path / 'Annotations/1080p').name == 'bear'


def test_layout_of_youtube_vos(tmp_path):
    write_tiny_youtube_vos(tmp_path, num_videos=2, num_frames=3)
    for source in (tmp_path, tmp_path / 'Annotations'):
        assert guess_reader(source) == 'davis'
        reader = DAVISReader(source)
        videos = list(reader.videos())
        assert [video.name for video in videos] == ['v0', 'v1']
        assert {t.id: t.category for t in videos[1].tracks if t.id < 3} == {
            1: 'square',
            2: 'bar',
        }
        assert reader.classes() is None
    # All frames are there, masks of every fifth.
    root = tmp_path / 'all'
    names = [f'v0/{t:05d}.jpg' for t in range(12)]
    frames = save_frames(root, names)
    for t in (0, 5, 10):
        save(tmp_path / f'one/v0/{t:05d}.png', paint(v1=(t, 0, t + 4, 4)))
    video = only(tmp_path / 'one', frames=frames)
    assert video.file_names == names and video.length == 12
    assert video.tracks[0].boxes == {t: (t, 0, t + 4, 4) for t in (0, 5, 10)}


@pytest.mark.parametrize(
    'meta, message',
    [
        ('{"vid', 'not meta.json of YouTube-VOS'),
        ('[]', '"videos" is missing'),
        ('{"videos": {"v0": 3}}', '"objects" is missing.*video v0'),
        ('{"videos": {"v0": {"objects": {"a": {}}}}}', "object 'a' is no"),
        (
            '{"videos": {"v0": {"objects": {"1": {"category": 3}}}}}',
            'category 3 is no name',
        ),
    ],
)
def test_bad_meta(tmp_path, meta, message):
    save(tmp_path / 'Annotations/v0/0.png', paint(v1=(0, 0, 4, 4)))
    (tmp_path / 'meta.json').write_text(meta)
    with pytest.raises(AnnotationError, match=message) as error:
        only(tmp_path)
    assert str(tmp_path / 'meta.json') in str(error.value)


def test_meta_may_know_less_than_the_images(tmp_path):
    save(
        tmp_path / 'Annotations/v0/0.png',
        paint(v1=(0, 0, 4, 4), v2=(4, 4, 8, 8)),
    )
    meta = dict(videos=dict(v0=dict(objects={'1': dict(category='ant')})))
    (tmp_path / 'meta.json').write_text('\ufeff' + json.dumps(meta))
    assert [t.category for t in only(tmp_path).tracks] == ['ant', None]


def test_frames_are_matched_by_name_then_by_number(tmp_path):
    save(tmp_path / 'm/bear/5.png', paint(v1=(0, 0, 4, 4)))
    frames = save_frames(tmp_path / 'f', ['bear/00003.jpg', 'bear/00005.jpg'])
    assert sorted(only(tmp_path / 'm', frames=frames).tracks[0].boxes) == [1]
    save(tmp_path / 'm/bear/6.png', paint(v1=(0, 0, 4, 4)))
    with pytest.raises(AnnotationError, match="of no frame.*'6'") as error:
        only(tmp_path / 'm', frames=frames)
    assert '6.png, video bear' in str(error.value)
    (tmp_path / 'm/bear/6.png').rename(tmp_path / 'm/bear/05.png')
    with pytest.raises(AnnotationError, match='belong to one frame'):
        only(tmp_path / 'm', frames=frames)


def test_frames_of_a_video_file_are_matched_by_number(tmp_path):
    images = np.zeros((4, *SIZE, 3), np.uint8)
    (tmp_path / 'f').mkdir()
    write_mp4(tmp_path / 'f/bear.mp4', images)
    frames = FrameFolders(tmp_path / 'f')
    save(tmp_path / 'm/bear/00002.png', paint(v1=(0, 0, 4, 4)))
    save(tmp_path / 'm/bear/00004.png', paint(v1=(0, 0, 4, 4)))
    video = only(tmp_path / 'm', frames=frames, first_frame=1)
    assert sorted(video.tracks[0].boxes) == [1, 3]
    assert video.file_names[3] == 'bear.mp4#3' and video.length == 4
    with pytest.raises(AnnotationError, match='frame 4 does not exist.*first'):
        only(tmp_path / 'm', frames=frames)
    with pytest.raises(AnnotationError, match='frame 2 comes before'):
        only(tmp_path / 'm', frames=frames, first_frame=3)


def test_video_without_frames(tmp_path):
    save(tmp_path / 'm/bear/0.png', paint(v1=(0, 0, 4, 4)))
    frames = save_frames(tmp_path / 'f', ['ant/0.jpg'])
    with pytest.raises(AnnotationError, match='no frames of this video'):
        only(tmp_path / 'm', frames=frames)
    # A single video may have its frames in the folder itself.
    frames = FrameFolders(tmp_path / 'f/ant')
    assert only(tmp_path / 'm', frames=frames).file_names == ['0.jpg']


def test_black_and_white_masks_of_davis_2016(tmp_path):
    save(tmp_path / 'bear/0.png', paint(v255=(0, 0, 4, 4)), palette=False)
    with pytest.raises(AnnotationError, match='ignore_index=None') as error:
        only(tmp_path)
    assert error.value.video == 'bear'
    (track,) = only(tmp_path, ignore_index=None).tracks
    assert track.id == 255 and not track.iscrowd


def test_colour_images_are_refused(tmp_path):
    labels = paint(v1=(0, 0, 4, 4)).astype(np.uint8)
    path = save(tmp_path / 'bear/0.png', labels)
    Image.fromarray(np.stack([labels] * 3, -1)).save(path)
    with pytest.raises(FrameError, match='mode RGB.*with a palette') as error:
        only(tmp_path)
    assert (error.value.video, error.value.frame) == ('bear', 0)


def test_truncated_image_is_named(tmp_path):
    path = save(tmp_path / 'bär/0.png', paint(v1=(0, 0, 4, 4)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FrameError, match='truncated.*bär/0.png'):
        only(tmp_path)


def test_sizes_have_to_agree(tmp_path):
    save(tmp_path / 'bear/0.png', paint(v1=(0, 0, 4, 4)))
    save(tmp_path / 'bear/1.png', np.zeros((32, 24), np.uint8))
    with pytest.raises(AnnotationError, match='24x32 pixels, but those befor'):
        only(tmp_path)


def test_wrong_sources(tmp_path):
    with pytest.raises(AnnotationError, match='no folder of PNG files'):
        only(tmp_path / 'nothing')
    (tmp_path / 'a.txt').write_text('1,1,0,0,5,5\n')
    with pytest.raises(AnnotationError, match='looks like MOTChallenge text'):
        only(tmp_path / 'a.txt')
    (tmp_path / 'empty/deep').mkdir(parents=True)
    with pytest.raises(AnnotationError, match='no Annotations/<video>'):
        only(tmp_path / 'empty')


def test_video_of_background_has_no_tracks(tmp_path):
    save(tmp_path / 'bear/0.png', paint())
    video = only(tmp_path)
    assert video.tracks == [] and (video.height, video.width) == SIZE


# ------------------------------------------------------------ round trips
@pytest.mark.parametrize('id_offset', [0, 1, 300])
def test_what_we_write_comes_back(tmp_path, id_offset):
    owner = np.random.default_rng(0).integers(0, 4, (4, *SIZE))
    names = tuple(f'videos/bear/{t}.jpg' for t in (7, 8, 10, 11))
    tracks = [
        MaskTrack(
            id=key,
            video_id=7,
            category_id=1,
            masks=[
                None if t == key else encode(owner[t] == key) for t in range(4)
            ],
            boxes=[None] * 4,
            sources=[None if t == key else 'x' for t in range(4)],
            scores=[None] * 4,
        )
        for key in (1, 2, 3)
    ]
    result = PseudoMaskSet(
        videos={7: VideoInfo(7, 32, 24, names)},
        categories=[dict(id=1, name='ant')],
        tracks={7: tracks},
    )
    writer = IndexedPNGWriter(tmp_path / 'bear_masks', id_offset=id_offset)
    write_mask_set(result, 7, [writer])
    frames = save_frames(tmp_path / 'f', [n[7:] for n in names])
    video = only(tmp_path / 'bear_masks', frames=frames)
    assert video.file_names == [n[7:] for n in names]
    found = {key - id_offset: found for key, found in masks(video).items()}
    assert found == {
        track.id: {t: m for t, m in enumerate(track.masks) if m}
        for track in tracks
    }


def test_trackeval_reads_the_same(tmp_path):
    trackeval = pytest.importorskip('trackeval')
    rng = np.random.default_rng(1)
    for t in range(4):
        labels = rng.choice([0, 1, 2, 5, 255], SIZE)
        save(tmp_path / f'gt/bear/{t:05d}.png', labels)
        save(
            tmp_path / f'tr/ours/data/bear/{t:05d}.png',
            np.where(labels == 255, 0, labels),
        )
    (tmp_path / 'seqmap.txt').write_text('bear\n')
    dataset = trackeval.datasets.DAVIS(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SEQMAP_FILE=str(tmp_path / 'seqmap.txt'),
            PRINT_CONFIG=False,
        )
    )
    raw = dataset._load_raw_file(None, 'bear', is_gt=True)
    ours = masks(only(tmp_path / 'gt'))
    assert set(ours) == {1, 2, 5, 255}
    for t in range(4):
        theirs = {
            int(key): mask['counts'].decode()
            for key, mask in zip(raw['gt_ids'][t], raw['gt_dets'][t])
        }
        theirs[255] = raw['masks_void'][t]['counts'].decode()
        assert theirs == {key: m[t]['counts'] for key, m in ours.items()}


def test_label_image_that_is_no_file(tmp_path):
    save(tmp_path / 'a/00000.png', paint(v1=(1, 1, 5, 5)))
    (tmp_path / 'a/00001.png').mkdir()
    with pytest.raises(FrameError, match='cannot be read.*video a, frame 1'):
        only(tmp_path / 'a')
    (tmp_path / 'a/00001.png').rmdir()
    if not hasattr(os, 'mkfifo'):
        pytest.skip('there are no pipes on this system')
    os.mkfifo(tmp_path / 'a/00001.png')
    with pytest.raises(AnnotationError, match='pipe or device.*00001.png'):
        only(tmp_path / 'a')
