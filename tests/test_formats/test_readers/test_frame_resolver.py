import pytest

from pmvis_mm.formats.readers import (
    AnnotationReader,
    FrameFolders,
    ImportedVideo,
    assemble,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.imported_videos import (
    IMPORTED_BOX,
    assembled,
    assembled_track,
    imported_track,
    imported_video,
    write_images,
)
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import AnnotationError, FrameError

BAD = (AnnotationError, FrameError)


def test_frames_from_folders(tmp_path):
    write_images(tmp_path / 'träin' / 'a b')
    write_images(tmp_path / 'c.d')
    videos = (
        ImportedVideo('träin/a b', [imported_track()]),
        ImportedVideo('c.d', [imported_track(boxes={3: IMPORTED_BOX})]),
    )
    content = assembled(*videos, frames=FrameFolders(tmp_path))
    first, second = content['videos']
    assert first['file_names'][0] == 'träin/a b/00000.jpg'
    assert (first['width'], first['height'], first['length']) == (32, 24, 4)
    assert second['file_names'][3] == 'c.d/00003.jpg'


@pytest.mark.parametrize('name', ['clip.mp4', 'upload/clip.xml', 'x/clip'])
def test_names_nearly_fit(tmp_path, name):
    write_images(tmp_path / 'clip')
    write_images(tmp_path / 'other')
    content = assembled(
        ImportedVideo(name, [imported_track()]), frames=FrameFolders(tmp_path)
    )
    assert content['videos'][0]['file_names'][0] == 'clip/00000.jpg'
    assert content['videos'][0]['name'] == name


def test_single_video_needs_no_name(tmp_path):
    write_images(tmp_path / 'root')
    write_images(tmp_path / 'parent' / 'only')
    for root, first in (('root', '00000.jpg'), ('parent', 'only/00000.jpg')):
        frames = FrameFolders(tmp_path / root)
        content = assembled(
            ImportedVideo('gt', [imported_track()]), frames=frames
        )
        assert content['videos'][0]['file_names'][0] == first
        pair = (ImportedVideo('gt', [imported_track()]), ImportedVideo('b'))
        with pytest.raises(FrameError, match='no frames of this.*video gt'):
            assembled(*pair, frames=frames)


def test_frames_from_a_video_file(tmp_path):
    write_mp4(tmp_path / 'my clip.mp4', moving_frames(4, (24, 32)))
    for video in (
        ImportedVideo('my clip', [imported_track()]),
        ImportedVideo('x', [imported_track()], file_names=['my clip.mp4#2']),
    ):
        content = assembled(video, frames=FrameFolders(tmp_path))
        (entry,) = content['videos']
        assert (entry['width'], entry['height']) == (32, 24)
    assert entry['file_names'] == ['my clip.mp4#2']


def test_frames_of_the_reader(tmp_path):
    write_images(tmp_path / 'clip')

    class Reader(AnnotationReader):
        def videos(self):
            yield ImportedVideo('clip', [imported_track()])

        def classes(self):
            return ('zebra', 'cat')

    content = assemble(Reader('x', FrameFolders(tmp_path)))
    assert content['videos'][0]['length'] == 4
    assert content['categories'] == [
        dict(id=1, name='zebra'),
        dict(id=2, name='cat'),
    ]
    assert content['annotations'][0]['category_id'] == 2


def test_length_is_that_of_the_last_box():
    track = imported_track(boxes={2: IMPORTED_BOX, 9: None})
    content = assembled(imported_video(tracks=[track], length=None))
    assert content['videos'][0]['length'] == 3


def test_names_listed_by_the_source_are_looked_for(tmp_path):
    write_images(tmp_path / 'clip')
    names = [f'clip/{t:05d}.jpg' for t in (0, 2)]
    video = ImportedVideo('other', [imported_track()], file_names=names)
    content = assembled(video, frames=FrameFolders(tmp_path))
    assert content['videos'][0]['file_names'] == names
    video.file_names = [*names, 'clip/7.jpg']
    with pytest.raises(FrameError, match=r'does not exist.*7\.jpg.*frame 2'):
        assembled(video, frames=FrameFolders(tmp_path))


FRAME_CASES = {
    'unknown names': (dict(), dict(invent_names=False), '--invent-names'),
    'unknown size': (dict(width=None), dict(), '--size'),
    'size differs': (dict(), dict(size=(24, 32)), '32x24 .*--size says 24x32'),
    'size zero': (dict(height=0), dict(), 'size of its frames is 32x0'),
    'no frame': (dict(file_names=[]), dict(), 'without frames'),
    'length differs': (
        dict(file_names=['a.jpg']),
        dict(),
        'say 4 frames but there are 1',
    ),
    'frame behind the end': (
        dict(length=None, file_names=['a.jpg', 'b.jpg']),
        dict(),
        'frame 3, counted from 0, is not one of the 2.*--first-frame',
    ),
}


@pytest.mark.parametrize('case', FRAME_CASES)
def test_bad_frames(case):
    known, options, message = FRAME_CASES[case]
    track = imported_track(boxes={3: IMPORTED_BOX})
    with pytest.raises(BAD, match=f'(?s){message}') as caught:
        assembled(imported_video(tracks=[track], **known), **options)
    assert caught.value.video == 'clip'
    assert caught.value.file == 'boxes.txt'


def test_frame_before_the_first():
    track = imported_track(boxes={-1: IMPORTED_BOX})
    with pytest.raises(AnnotationError, match='frame -1, .*--first-frame'):
        assembled_track(track)


def test_frames_on_disk_differ(tmp_path):
    write_images(tmp_path / 'clip', 3, (64, 48))
    write_images(tmp_path / 'other', 3, (64, 48))
    frames = FrameFolders(tmp_path)
    with pytest.raises(AnnotationError, match='4 frames but there are 3'):
        assembled(imported_video(), frames=frames)
    with pytest.raises(FrameError, match='32x24.*first frame.*64x48'):
        assembled(imported_video(length=None), frames=frames)
    with pytest.raises(FrameError, match=r"there are \['clip', 'other'\]"):
        assembled(imported_video('../clip2'), frames=frames)
    pair = [ImportedVideo(name) for name in ('a/clip', 'b/clip')]
    with pytest.raises(AnnotationError, match="those of video 'a/clip'"):
        assembled(*pair, frames=frames)


def test_size_is_given_or_that_of_a_mask():
    unknown = dict(width=None, height=None)
    video = imported_video(tracks=[imported_track()], **unknown)
    assert assembled(video, size=(40, 30))['videos'][0]['width'] == 40
    masks = {0: box_rle(IMPORTED_BOX, 24, 32)}
    video = imported_video(tracks=[imported_track(masks=masks)], **unknown)
    assert assembled(video)['videos'][0]['width'] == 32


def test_the_same_frames_again():
    names = ['a/0.jpg', 'a/1.jpg']
    sized = dict(width=9, height=9)
    twice = ImportedVideo('a', file_names=['a/0.jpg'] * 2, **sized)
    with pytest.raises(AnnotationError, match="'a/0.jpg' is listed twice.*a"):
        assembled(twice, classes=['cat'])
    first = ImportedVideo('a', file_names=names, **sized)
    second = ImportedVideo('b', file_names=names, **sized)
    match = "the same frames as video 'a' .video b.*Fix: remove one"
    with pytest.raises(AnnotationError, match=match):
        assembled(first, second, classes=['cat'])
    # Parts of one recording are different videos.
    second.file_names = names[1:]
    content = assembled(first, second, classes=['cat'])
    assert [v['length'] for v in content['videos']] == [2, 1]


@pytest.mark.parametrize('name', ['../a', '/a', 'a/../../b', '..\\a'])
def test_names_that_lead_out_are_not_made_up(name):
    video = imported_video(name, [imported_track()])
    video.file_names = None
    with pytest.raises(AnnotationError, match='would lead out of.*Fix: ren'):
        assembled(video, size=(32, 24), invent_names=True)


def test_enormous_size():
    video = imported_video('a', [imported_track()])
    video.width = 10**30
    with pytest.raises(
        AnnotationError, match='size.*1000.* more than 1000000'
    ):
        assembled(video)
