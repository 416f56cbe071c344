"""What the downloads of the public datasets look like on disk."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

from ..utils.errors import ConfigError, PMVISError

_TOOL = 'python tools/dataset_converters/check_download.py'

# Frames: an image below a folder of its video, or right there.
IN_VIDEO_FOLDERS = 'videos'
IN_THE_FOLDER = 'images'


@dataclass(frozen=True)
class Part:
    """A file or folder of a download.

    Attributes:
        path (str): Relative to the root of the dataset.
        source (str): The archive that has it, or the command that makes it,
            with ``{root}`` for the root.
        purpose (str): What it is needed for.
        frames (str, optional): For a folder, how images lie in it:
            'videos' (``<video>/<frame>``) or 'images'. None for a json or
            text file.
        suffix (str): Of the images. Defaults to '.jpg'.
        images (str, optional): For a json, the folder of its frames,
            relative to the root.
        number (int, optional): Of videos (images for COCO) in the official
            set, as its authors state it.
        labelled (bool): For a json, whether it holds annotations.
        required (bool): Whether the shipped configs stop without it.
        instead (str, optional): A part that will do in its place.
    """

    path: str
    source: str
    purpose: str
    frames: Optional[str] = None
    suffix: str = '.jpg'
    images: Optional[str] = None
    number: Optional[int] = None
    labelled: bool = True
    required: bool = True
    instead: Optional[str] = None

    def get(self, root: Path) -> str:
        """Say how to get this part."""
        if self.source.startswith('python '):
            return 'run ' + self.source.format(root=root.as_posix())
        return f'take it from {self.source}'


@dataclass(frozen=True)
class Layout:
    """The tree of a dataset.

    Attributes:
        title (str): Its name.
        url (str): Where it is downloaded.
        root (str): Where the shipped configs expect it.
        parts (tuple[Part]): What is in it.
        version (str, optional): Key of ``metainfo.DATASET_CLASSES`` whose
            classes the json files have.
        note (str): What else to know.
    """

    title: str
    url: str
    root: str
    parts: Tuple[Part, ...]
    version: Optional[str] = None
    note: str = ''


_TRAIN, _VAL = 'training', 'validation'
_VIS_URL = 'https://youtube-vos.org/dataset/vis'


def _split(
    annotations: str,
    images: str,
    source: str,
    purpose: str,
    number: int,
    json_source: Optional[str] = None,
) -> Tuple[Part, Part]:
    """Describe a json and the frames of its videos."""
    return (
        Part(
            annotations,
            json_source or source,
            purpose,
            images=images,
            number=number,
            labelled=purpose == _TRAIN,
        ),
        Part(images, source, purpose, frames=IN_VIDEO_FOLDERS),
    )


_BDD_IMPORT = (
    'python tools/dataset_converters/import_annotations.py bdd100k_bitmasks '
    '{{root}}/labels/seg_track_20/bitmasks/{split} '
    '--out {{root}}/annotations/mots_{split}.json '
    '--frames {{root}}/images/seg_track_20/{split} --with-masks'
)


def _bdd_split(split: str, purpose: str, number: int) -> Tuple[Part, ...]:
    images = f'images/seg_track_20/{split}'
    labels = 'labels/seg_track_20'
    archive = 'MOTS 2020 Labels (bdd100k_seg_track_20_labels_trainval.zip)'
    return (
        Part(
            images,
            f'MOTS 2020 Images (bdd100k_seg_track_20_images_{split}.zip)',
            purpose,
            frames=IN_VIDEO_FOLDERS,
        ),
        Part(
            f'{labels}/bitmasks/{split}',
            f'{archive}, or rles/ of it and the format bdd100k_rles',
            'masks, to be converted',
            frames=IN_VIDEO_FOLDERS,
            suffix='.png',
            required=False,
            instead=f'{labels}/rles/{split}',
        ),
        Part(
            f'annotations/mots_{split}.json',
            _BDD_IMPORT.format(split=split),
            purpose,
            images=images,
            number=number,
        ),
    )


def _vos_split(split: str, purpose: str, required: bool) -> Tuple[Part, ...]:
    source = f'{split}.zip'
    parts = [
        Part(f'{split}/meta.json', source, purpose, required=required),
        Part(
            f'{split}/JPEGImages',
            source,
            purpose,
            frames=IN_VIDEO_FOLDERS,
            required=required,
        ),
        Part(
            f'{split}/Annotations',
            source,
            purpose,
            frames=IN_VIDEO_FOLDERS,
            suffix='.png',
            required=required,
        ),
    ]
    return tuple(parts)


def _pictures(folder: str, source: str, suffix: str = '.jpg') -> Part:
    return Part(
        folder,
        source,
        'DeAOT, static stage',
        frames=IN_THE_FOLDER,
        suffix=suffix,
        required=False,
    )


LAYOUTS: Dict[str, Layout] = dict(
    youtube_vis_2019=Layout(
        'YouTube-VIS 2019',
        _VIS_URL,
        'data/youtube_vis_2019/',
        _split(
            'train.json', 'train/JPEGImages', 'train.zip', _TRAIN, 2238,
            'train.json (a download of its own)',
        )
        + _split(
            'valid.json', 'valid/JPEGImages', 'valid.zip', _VAL, 302,
            'valid.json (a download of its own)',
        ),
        'youtube_vis_2019',
    ),
    youtube_vis_2021=Layout(
        'YouTube-VIS 2021',
        _VIS_URL,
        'data/youtube_vis_2021/',
        _split(
            'train/instances.json', 'train/JPEGImages', 'train.zip', _TRAIN,
            2985,
        )
        + _split(
            'valid/instances.json', 'valid/JPEGImages', 'valid.zip', _VAL,
            421,
        ),
        'youtube_vis_2021',
    ),
    youtube_vis_2022=Layout(
        'YouTube-VIS 2022',
        _VIS_URL,
        'data/youtube_vis_2022/',
        _split(
            'train/instances.json', 'train/JPEGImages', 'train.zip', _TRAIN,
            2985,
        )
        + _split(
            'valid/instances.json', 'valid/JPEGImages', 'valid.zip', _VAL,
            421 + 71,
        ),
        'youtube_vis_2022',
        'the training set is that of 2021: link its folder "train" here',
    ),
    ovis=Layout(
        'OVIS',
        'https://songbai.site/ovis',
        'data/ovis/',
        _split(
            'annotations_train.json', 'train', 'train.zip', _TRAIN, 607,
            'annotations_train.json (a download of its own)',
        )
        + _split(
            'annotations_valid.json', 'valid', 'valid.zip', _VAL, 140,
            'annotations_valid.json (a download of its own)',
        ),
        'ovis',
    ),
    coco=Layout(
        'COCO 2017',
        'https://cocodataset.org/#download',
        'data/coco/',
        (
            Part(
                'annotations/instances_train2017.json',
                'annotations_trainval2017.zip',
                'pre-training, joint training',
                images='train2017',
                number=118287,
            ),
            Part(
                'train2017',
                'train2017.zip',
                'pre-training, joint training',
                frames=IN_THE_FOLDER,
            ),
        ),
        'coco',
    ),
    bdd100k_mots=Layout(
        'BDD100K MOTS 2020',
        'https://bdd-data.berkeley.edu',
        'data/bdd100k/',
        _bdd_split('train', _TRAIN, 154) + _bdd_split('val', _VAL, 32),
        'bdd100k_mots',
    ),
    youtube_vos=Layout(
        'YouTube-VOS 2018 or 2019',
        'https://youtube-vos.org/dataset/vos',
        'data/youtube_vos/',
        _vos_split('train', 'DeAOT, video stage', True)
        + _vos_split('valid', 'evaluating a propagator', False),
        note='both years have the same 3471 training videos',
    ),
    davis=Layout(
        'DAVIS 2017, 480p',
        'https://davischallenge.org/davis2017/code.html',
        'data/DAVIS/',
        (
            Part(
                'ImageSets/2017/train.txt',
                'DAVIS-2017-trainval-480p.zip',
                'DeAOT, video stage',
                number=60,
            ),
            Part(
                'JPEGImages/480p',
                'DAVIS-2017-trainval-480p.zip',
                'DeAOT, video stage',
                frames=IN_VIDEO_FOLDERS,
            ),
            Part(
                'Annotations/480p',
                'DAVIS-2017-trainval-480p.zip',
                'DeAOT, video stage',
                frames=IN_VIDEO_FOLDERS,
                suffix='.png',
            ),
        ),
    ),
    static_images=Layout(
        'Images with masks (PASCAL VOC 2012, MSRA10K, ECSSD, PASCAL-S)',
        'the sites of the four sets',
        'data/',
        (
            _pictures('VOCdevkit/VOC2012/JPEGImages', 'VOCtrainval.tar'),
            _pictures(
                'VOCdevkit/VOC2012/SegmentationObject',
                'VOCtrainval.tar',
                '.png',
            ),
            *(
                part
                for name in ('msra10k', 'ecssd', 'pascal_s')
                for part in (
                    _pictures(f'{name}/images', f'the images of {name}'),
                    _pictures(
                        f'{name}/masks', f'the masks of {name}', '.png'
                    ),
                )
            ),
        ),
        note='leave out of clip_datasets what you do not have',
    ),
)  # fmt: skip


def get_layout(name: str) -> Layout:
    """Look a layout up.

    Args:
        name (str): A key of ``LAYOUTS``.

    Returns:
        Layout: The tree.

    Raises:
        ConfigError: If there is no such dataset.
    """
    if name not in LAYOUTS:
        raise ConfigError(
            f'unknown dataset {name!r}', fix=f'choose from {sorted(LAYOUTS)}'
        )
    return LAYOUTS[name]


@contextmanager
def point_to_check(name: Optional[str], root: Any) -> Iterator[None]:
    """Add to errors about missing files how to find out what is missing.

    Args:
        name (str, optional): A key of ``LAYOUTS``; nothing is added to
            errors about others.
        root (str | Path, optional): Folder of the dataset.

    Raises:
        PMVISError: As raised inside.
    """
    try:
        yield
    except PMVISError as error:
        missing = error.file is not None and not Path(error.file).exists()
        if missing and root and name in LAYOUTS:
            error.fix = (
                f'{error.fix}; to see what is missing of '
                f'{LAYOUTS[name].title}: {_TOOL} {name} {root}'
            )
            error.args = (str(error),)
        raise
