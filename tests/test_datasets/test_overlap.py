"""Videos that datasets share."""

import shutil

import pytest

from pmvis_mm.datasets.overlap import find_overlap, write_names
from pmvis_mm.datasets.vos_folders import read_names
from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.testing.tiny_vos import write_tiny_youtube_vos
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.usefixtures('default_scope')


def vis_json(path, *names):
    """A json of YouTube-VIS; ids are no names."""
    videos = [
        dict(id=i, file_names=[f'{name}/00000.jpg', f'{name}/00005.jpg'])
        for i, name in enumerate(names)
    ]
    dump_json(dict(videos=videos, categories=[], annotations=None), path)
    return path


def vos_json(path, *names):
    dump_json(dict(videos={name: dict(objects={}) for name in names}), path)
    return path


def test_by_name(tmp_path):
    vos = vos_json(tmp_path / 'meta.json', 'e', 'd', 'c', 'b', 'a')
    vis19 = vis_json(tmp_path / '19.json', 'b', 'a', 'x')
    vis21 = vis_json(tmp_path / '21.json', 'b', 'd', 'y', 'z')
    first, second = find_overlap(vos, [vis19, vis21])
    assert (first.num_videos, first.shared) == (3, ('a', 'b'))
    assert (second.num_videos, second.shared) == (4, ('b', 'd'))
    assert first.file == str(vis19)
    names = write_names([first, second], vos, tmp_path / 'out.txt')
    assert names == ('a', 'b', 'd')
    assert read_names(str(tmp_path / 'out.txt')) == names
    # Text lists and the other direction.
    (back,) = find_overlap(vis19, [tmp_path / 'out.txt'])
    assert back.shared == ('a', 'b')


def test_a_name_listed_twice_counts_once(tmp_path):
    (tmp_path / 'a.txt').write_text('a\na\nb\n')
    (tmp_path / 'b.txt').write_text('a\na\n')
    (found,) = find_overlap(tmp_path / 'a.txt', [tmp_path / 'b.txt'])
    assert (found.num_videos, found.shared) == (1, ('a',))


def test_nothing_shared(tmp_path):
    (tmp_path / 'a.txt').write_text('a\n')
    (tmp_path / 'b.txt').write_text('b\n')
    found = find_overlap(tmp_path / 'a.txt', [tmp_path / 'b.txt'])
    assert found[0].shared == ()
    with pytest.raises(ConfigError, match='--by-content'):
        write_names(found, 'a.txt', tmp_path / 'out.txt')
    assert not (tmp_path / 'out.txt').exists()


@pytest.mark.parametrize('text', ['', '{', '{"videos": 3}', '[{}]'])
def test_bad_lists(tmp_path, text):
    (tmp_path / 'a.json').write_text(text)
    (tmp_path / 'b.txt').write_text('b\n')
    with pytest.raises(AnnotationError):
        find_overlap(tmp_path / 'a.json', [tmp_path / 'b.txt'])
    with pytest.raises(AnnotationError, match='cannot be read'):
        find_overlap(tmp_path / 'absent.txt', [tmp_path / 'b.txt'])


def make_frames(folder, **videos):
    for name, images in videos.items():
        (folder / name).mkdir(parents=True)
        for t, content in enumerate(images):
            (folder / name / f'{5 * t:05d}.jpg').write_bytes(content)
    return folder


def test_by_content(tmp_path):
    one = make_frames(
        tmp_path / 'one',
        a=[b'a0', b'a1', b'a2', b'a3'],
        b=[b'black', b'b1'],
        c=[b'black', b'c1'],
        d=[b'd0'],
    )
    two = make_frames(
        tmp_path / 'two',
        # Begins with another frame of a.
        renamed=[b'a2', b'a3'],
        # Shares a black frame that tells nothing.
        other=[b'black', b'o1'],
        # Has the name but not the frames of d.
        d=[b'x0'],
        # Shares only the fourth frame.
        late=[b'a3', b'l1'],
    )
    (tmp_path / 'one.txt').write_text('a\nb\nc\nd\n')
    (tmp_path / 'two.txt').write_text('renamed\nother\nd\nlate\n')
    lists = tmp_path / 'one.txt', [tmp_path / 'two.txt']
    (found,) = find_overlap(*lists, frames=[one, two])
    assert found.shared == ('a',)
    (by_name,) = find_overlap(*lists)
    assert by_name.shared == ('d',)


def test_content_needs_folders(tmp_path):
    (tmp_path / 'a.txt').write_text('a\n')
    with pytest.raises(ConfigError, match='1 folders of frames for 2 lists'):
        find_overlap(
            tmp_path / 'a.txt', [tmp_path / 'a.txt'], frames=[tmp_path]
        )
    with pytest.raises(FrameError, match='no image of this video') as info:
        find_overlap(
            tmp_path / 'a.txt',
            [tmp_path / 'a.txt'],
            frames=[tmp_path, tmp_path],
        )
    assert info.value.video == 'a'


def test_the_list_leaves_videos_out_of_training(tmp_path):
    """Renamed videos, found by content, are excluded by their names."""
    vos = tmp_path / 'youtube_vos/train'
    write_tiny_youtube_vos(vos, num_videos=3)
    for number in range(3):  # tiny videos are alike
        path = vos / f'JPEGImages/v{number}/00000.jpg'
        path.write_bytes(path.read_bytes() + bytes([number]))
    vis = tmp_path / 'vis'
    content = write_tiny_vis(vis, num_videos=1)
    shutil.copytree(vos / 'JPEGImages/v1', vis / 'JPEGImages/clip')
    content['videos'][0]['file_names'] = [
        f'clip/{t:05d}.jpg' for t in (0, 5, 10)
    ]
    dump_json(content, vis / 'instances.json')
    found = find_overlap(
        vos / 'meta.json',
        [vis / 'instances.json'],
        frames=[vos / 'JPEGImages', vis / 'JPEGImages'],
    )
    out = tmp_path / 'exclude.txt'
    assert write_names(found, vos / 'meta.json', out) == ('v1',)
    cfg = dict(
        type='VOSClipDataset',
        source=dict(type='YouTubeVOSSource', data_root=str(vos)),
        pipeline=[],
    )
    assert len(DATASETS.build(dict(cfg))) == 3
    dataset = DATASETS.build(dict(cfg, exclude=str(out)))
    names = [dataset.source.videos[d['video']].name for d in dataset.data_list]
    assert names == ['v0', 'v2']
    assert set(load_json(vos / 'meta.json')['videos']) == {'v0', 'v1', 'v2'}


def test_a_list_written_on_windows(tmp_path):
    # A mark in front of the first name would let this video leak.
    (tmp_path / 'a.txt').write_bytes(b'\xef\xbb\xbfa\r\nb\r\n')
    vis = vis_json(tmp_path / 'vis.json', 'a', 'b', 'c')
    (found,) = find_overlap(vis, [tmp_path / 'a.txt'])
    assert found.shared == ('a', 'b')
