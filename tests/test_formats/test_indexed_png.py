import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats import IndexedPNGWriter, voc_palette
from pmvis_mm.structures import StreamInfo
from pmvis_mm.utils.errors import OutputError


def _pixels(path):
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_palette_by_hand():
    palette = np.array(voc_palette()).reshape(256, 3)
    # The published colours: background, aeroplane, bicycle, bird, ... border.
    assert palette[0].tolist() == [0, 0, 0]
    assert palette[1].tolist() == [128, 0, 0]
    assert palette[2].tolist() == [0, 128, 0]
    assert palette[3].tolist() == [128, 128, 0]
    assert palette[8].tolist() == [64, 0, 0]
    assert palette[20].tolist() == [0, 64, 128]
    assert palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256


def test_frames_by_hand(clip, write, tmp_path):
    folder = write(dict(type='png', path=tmp_path / 'bear'), clip)
    assert _names(folder) == [f'{t:05d}.png' for t in range(4)]
    assert _names(tmp_path) == ['bear']
    mode, image = _pixels(folder / '00001.png')
    assert mode == 'P'
    expected = np.zeros((24, 32), np.uint8)
    expected[6:16, 10:20] = 3  # number 2 + 1
    expected[2:12, 5:15] = 1  # the higher score keeps its pixels
    np.testing.assert_array_equal(image, expected)
    # Track 2 does not count before frame 1.
    assert set(np.unique(_pixels(folder / '00000.png')[1])) == {0, 1}
    last = _pixels(folder / '00002.png')[1]
    assert last[23, 31] == 6 and (last == 6).sum() == 1
    with Image.open(folder / '00001.png') as picture:
        assert picture.getpalette()[:12] == voc_palette()[:12]
        color = np.asarray(picture.convert('RGB'))
    assert color[8, 17].tolist() == [128, 128, 0]


def test_names_follow_the_frames(clip, write, tmp_path):
    names = ('bear/7.jpg', 'bear/8.jpg', 'bear/10.jpg', 'bear/11.jpg')
    clip.info = StreamInfo('bear', 24, 32, file_names=names)
    folder = write(dict(type='png', path=tmp_path / 'bear'), clip)
    assert _names(folder) == ['10.png', '11.png', '7.png', '8.png']


def test_equal_names_are_refused(clip, write, tmp_path):
    names = ('a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg')
    clip.info = StreamInfo('bear', 24, 32, file_names=names)
    with pytest.raises(OutputError, match='frames 0 and 2 would both'):
        write(dict(type='png', path=tmp_path / 'bear'), clip)
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    'offset, mode', [(250, 'P'), (251, 'I;16'), (65530, 'I;16')]
)
def test_high_numbers_get_16_bits(clip, write, tmp_path, offset, mode):
    config = dict(type='png', path=tmp_path / 'bear', id_offset=offset)
    folder = write(config, clip)
    for frame in range(4):
        found, image = _pixels(folder / f'{frame:05d}.png')
        assert found == mode
    assert image.max() == 2 + offset
    assert _pixels(folder / '00002.png')[1].max() == 5 + offset


def test_numbers_beyond_16_bits_are_refused(clip, write, tmp_path):
    config = dict(type='png', path=tmp_path / 'bear', id_offset=65531)
    with pytest.raises(OutputError, match='number 65536 does not fit'):
        write(config, clip)
    assert _names(tmp_path) == []
    # The one of the highest number scores 0.125.
    folder = write(dict(config, score_thr=0.2), clip)
    assert _pixels(folder / '00001.png')[1].max() == 65533


def test_an_older_result_is_replaced_as_a_whole(clip, write, tmp_path):
    writer = IndexedPNGWriter(tmp_path / 'bear')
    write(writer, clip)
    clip.instances = clip.instances[:2]
    assert _names(write(writer, clip)) == ['00000.png', '00001.png']
    assert _names(tmp_path) == ['bear']


def test_folders_of_others_are_left_alone(clip, write, tmp_path):
    (tmp_path / 'bear').mkdir()
    (tmp_path / 'bear' / 'notes.txt').write_text('mine')
    with pytest.raises(OutputError, match=r"holds 'notes.txt', which is no"):
        write(dict(type='png', path=tmp_path / 'bear'), clip)
    assert (tmp_path / 'bear' / 'notes.txt').read_text() == 'mine'
    with pytest.raises(OutputError, match='a file, not a folder'):
        write(dict(type='png', path=tmp_path / 'bear/notes.txt'), clip)
    assert (tmp_path / 'bear' / 'notes.txt').read_text() == 'mine'


def test_frames_are_not_taken_for_masks(clip, write, tmp_path):
    (tmp_path / 'bear').mkdir()
    Image.fromarray(clip.images[0]).save(tmp_path / 'bear' / '00000.png')
    with pytest.raises(OutputError, match="holds '00000.png', which is no"):
        write(dict(type='png', path=tmp_path / 'bear'), clip)
    (tmp_path / 'bear' / '00000.png').write_bytes(b'broken')
    with pytest.raises(OutputError, match='is no PNG file of masks'):
        write(dict(type='png', path=tmp_path / 'bear'), clip)
    assert _names(tmp_path / 'bear') == ['00000.png']


def test_nothing_found_is_background(empty_clip, write, tmp_path):
    folder = write(dict(type='png', path=tmp_path / 'bear'), empty_clip)
    assert len(_names(folder)) == 3
    for name in _names(folder):
        mode, image = _pixels(folder / name)
        assert mode == 'P' and image.shape == (24, 32) and not image.any()
