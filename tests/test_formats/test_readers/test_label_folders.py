import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import FrameFolders
from pmvis_mm.formats.readers.label_folders import LabelFolderReader, Region
from pmvis_mm.structures.label_image import encode_labels
from pmvis_mm.utils.errors import AnnotationError


class PlainReader(LabelFolderReader):
    """Every value is an object; notes what it is asked for."""

    title = 'plain'
    inner = ('labels',)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []

    def begin(self, name, folder):
        self.calls.append(('begin', name, folder.name))

    def regions(self, path, name, frame):
        self.calls.append((path.name, name, frame))
        with Image.open(path) as image:
            labels = np.array(image)
        return labels.shape, [
            Region(key, mask) for key, mask in encode_labels(labels).items()
        ]

    def finish(self, video):
        self.calls.append(('finish', video.name, len(video.tracks)))


def save(path, value=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6), value, np.uint8)).save(path)


def test_one_image_after_the_other(tmp_path):
    for name in ('10.png', '9.PNG'):
        save(tmp_path / f'labels/b/{name}')
    save(tmp_path / 'labels/a/1.png', 0)
    reader = PlainReader(tmp_path)
    _, second = reader.videos()
    assert reader.calls == [
        ('begin', 'a', 'a'),
        ('1.png', 'a', 0),
        ('finish', 'a', 0),
        ('begin', 'b', 'b'),
        ('9.PNG', 'b', 0),
        ('10.png', 'b', 1),
        ('finish', 'b', 1),
    ]
    assert second.tracks[0].boxes == {0: (0, 0, 6, 4), 1: (0, 0, 6, 4)}
    assert (second.width, second.height, second.length) == (6, 4, 2)
    assert second.file_names is None and second.file.endswith('b')


def test_images_in_the_inner_folder_are_named_by_the_outer_one(tmp_path):
    save(tmp_path / 'clip ä/labels/1.png')
    for source in (tmp_path / 'clip ä', tmp_path / 'clip ä/labels'):
        (video,) = PlainReader(source).videos()
        assert video.name == 'clip ä'


def test_folders_of_masks_that_our_writer_names(tmp_path):
    save(tmp_path / 'm/bear_masks/00000.png')
    save(tmp_path / 'm/cow_masks/00000.png')
    for name in ('bear', 'cow_masks'):
        save(tmp_path / f'f/{name}/00000.png')
    frames = FrameFolders(tmp_path / 'f')
    first, second = PlainReader(tmp_path / 'm', frames=frames).videos()
    assert first.file_names == ['bear/00000.png']
    assert second.file_names == ['cow_masks/00000.png']


def test_depth_is_limited(tmp_path):
    save(tmp_path / 'a/b/c/video/1.png')
    with pytest.raises(AnnotationError, match='not plain: no <video>/<frame>'):
        list(PlainReader(tmp_path).videos())
    (video,) = PlainReader(tmp_path / 'a/b').videos()
    assert video.name == 'video'
