"""What the dataset checker looks for: codes, severities and fixes."""

from typing import Dict, FrozenSet, NamedTuple

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
SEVERITIES = (ERROR, WARNING, NOTE)


class Rule(NamedTuple):
    """What a code means.

    Attributes:
        severity (str): 'error': cannot be used, or is certainly wrong;
            'warning': probably a mistake; 'note': worth knowing.
        fix (str): What the user can do.
        repaired (bool): Whether ``--fix`` repairs it; single findings may
            differ.
    """

    severity: str
    fix: str
    repaired: bool = False


_FILE = {
    'file-unreadable': Rule(
        ERROR, 'check the path; it may be cut off: export or copy it again'
    ),
    'file-not-object': Rule(
        ERROR, 'use the YouTube-VIS layout: videos, categories, annotations'
    ),
    'list-missing': Rule(
        ERROR, 'use the YouTube-VIS layout: a non-empty list'
    ),
    'entry-not-object': Rule(ERROR, 'write a json object, or remove it'),
    'unknown-key': Rule(NOTE, 'nothing, unless it is a spelling mistake'),
    'no-annotations': Rule(
        NOTE, 'nothing, if these videos have no labels; otherwise name '
        'another file'
    ),
}  # fmt: skip

_IDS = {
    'id-missing': Rule(ERROR, 'give every entry an integer id', True),
    'id-not-integer': Rule(ERROR, 'write ids as plain integers', True),
    'id-out-of-range': Rule(ERROR, 'number them anew, from 1', True),
    'id-duplicate': Rule(ERROR, 'give every entry an id of its own', True),
    'id-zero': Rule(
        NOTE, 'nothing here; for other COCO tools, number from 1: some take '
        '0 for "none"'
    ),
    'video-unknown': Rule(
        ERROR, 'list the video in "videos", or remove the annotation'
    ),
    'category-unknown': Rule(
        ERROR, 'list the category in "categories", or correct the id'
    ),
}  # fmt: skip

_CATEGORIES = {
    'category-unnamed': Rule(ERROR, 'give every category a "name"'),
    'category-duplicate-name': Rule(
        ERROR, 'give every category a name of its own'
    ),
    'category-blanks': Rule(
        WARNING, 'write it without blanks in front and behind: some tools '
        'cut them off, and names no longer agree'
    ),
    'category-unused': Rule(NOTE, 'nothing, if it is meant to be there'),
    'category-not-in-version': Rule(
        ERROR, 'name the right file or version; the names must be those of '
        'the official files, letter by letter'
    ),
    'category-near-version': Rule(
        WARNING, 'spell it as the official files do, or configs with that '
        'version will refuse the file'
    ),
}  # fmt: skip

_VIDEOS = {
    'video-no-frames': Rule(
        ERROR, 'list its frames in "file_names" or remove the video'
    ),
    'video-length': Rule(ERROR, 'make both agree', True),
    'video-size': Rule(
        ERROR, 'write width and height of the frames in pixels'
    ),
    'video-no-annotations': Rule(
        NOTE, 'nothing, if nothing is to be seen in it'
    ),
    'video-duplicate': Rule(
        WARNING, 'list it once, with all its annotations'
    ),
    'sizes-mixed': Rule(
        NOTE, 'nothing: pipelines resize; check it if all videos should be '
        'of one size'
    ),
}  # fmt: skip

_NAMES = {
    'frame-name-invalid': Rule(
        ERROR, 'write the path of the frame relative to the images'
    ),
    'frame-duplicate': Rule(WARNING, 'list every frame once'),
    'frame-shared': Rule(
        WARNING, 'list a frame in one video only, with all its objects'
    ),
    'frame-order': Rule(
        WARNING, 'sort "file_names" and the per-frame lists by time'
    ),
    'frame-gap': Rule(
        NOTE, 'nothing, if frames were left out on purpose'
    ),
    'frame-absolute-path': Rule(
        WARNING, 'write paths relative to the folder of images'
    ),
    'frame-backslash': Rule(
        WARNING, 'write paths with slashes, which all systems read', True
    ),
    'frame-parent-path': Rule(
        WARNING, "write paths without '..', below the folder of images"
    ),
}  # fmt: skip

_FRAMES = {
    'prefix-missing': Rule(ERROR, 'name the folder of images'),
    'frame-missing': Rule(
        ERROR, 'check the image folder, and that all frames were extracted'
    ),
    'frame-case': Rule(
        ERROR, 'spell it as on disk: other systems tell cases apart', True
    ),
    'frame-empty-file': Rule(ERROR, 'extract or copy this frame again'),
    'frame-undecodable': Rule(ERROR, 'extract or copy this frame again'),
    'frame-size': Rule(
        ERROR, 'use the frames that were annotated, or correct "width" and '
        '"height" of the video'
    ),
    'frame-beyond-video': Rule(
        ERROR, 'count frames from 0, and use the file that was annotated'
    ),
}  # fmt: skip

_LENGTHS = {
    'bboxes-missing': Rule(ERROR, 'add one box or null for every frame'),
    'bboxes-length': Rule(
        ERROR, 'one entry for every frame, null where the object is absent'
    ),
    'segmentations-length': Rule(
        ERROR, 'one entry for every frame, null where the object is absent'
    ),
    'areas-length': Rule(
        WARNING, 'one area for every frame, null where there is no mask', True
    ),
    'extra-length': Rule(ERROR, 'one entry for every frame'),
    'annotation-size': Rule(
        WARNING, 'write width, height and length of the video, or leave '
        'them out', True
    ),
    'iscrowd-not-binary': Rule(
        WARNING, 'write 0, or 1 for a group of objects'
    ),
}  # fmt: skip

_BOXES = {
    'box-not-four': Rule(
        ERROR, 'write [x, y, width, height], or null where it is absent'
    ),
    'box-not-number': Rule(ERROR, 'write four numbers without quotes'),
    'box-not-finite': Rule(
        ERROR, 'export the boxes again, or write null', True
    ),
    'box-zero-size': Rule(
        ERROR, 'write null where the object is absent', True
    ),
    'box-negative-size': Rule(
        ERROR, 'write [x, y, width, height], or null where it is absent',
        True,
    ),
    'box-outside': Rule(
        ERROR, 'write null where the object is out of view', True
    ),
    'box-sticks-out': Rule(
        ERROR, 'clip it: --fix, or clip_boxes=True in the dataset', True
    ),
    'boxes-xyxy': Rule(
        WARNING, 'if these are corners, write [x, y, width, height]'
    ),
    'boxes-normalised': Rule(
        ERROR, 'multiply by width and height: boxes are in pixels'
    ),
    'boxes-systematic': Rule(
        WARNING, 'compare the size of the video with its frames, and the '
        'order of the numbers in its boxes; --fix leaves its boxes alone'
    ),
    'box-sub-pixel': Rule(
        WARNING, 'write null where there is nothing to see'
    ),
    'box-whole-frame': Rule(
        NOTE, 'nothing, if the object fills the frame'
    ),
    'box-jump': Rule(
        NOTE, 'look whether two objects were given one track'
    ),
}  # fmt: skip

_TRACKS = {
    'track-empty': Rule(WARNING, 'remove it, or add its boxes', True),
    'track-duplicate': Rule(WARNING, 'remove one of them', True),
    'track-same-boxes': Rule(
        WARNING, 'look whether one object was annotated twice'
    ),
}

_MASKS = {
    'mask-size': Rule(
        ERROR, 'export the masks again at the size of the frames', True
    ),
    'mask-malformed': Rule(ERROR, 'export the masks again', True),
    'masks-systematic': Rule(
        WARNING, 'export the masks of this video again at the size of its '
        'frames; --fix leaves its masks alone'
    ),
    'mask-empty': Rule(
        WARNING, 'write null where there is nothing to see', True
    ),
    'mask-without-box': Rule(
        WARNING, 'add the tight box of the mask, or write null', True
    ),
    'box-without-mask': Rule(
        NOTE, 'nothing, if masks are missing on purpose'
    ),
    'box-mask-mismatch': Rule(
        WARNING, 'look at the frame: box or mask is of another object, or '
        'of another frame'
    ),
    'area-mismatch': Rule(WARNING, 'count the pixels of the mask', True),
    'polygon-malformed': Rule(
        ERROR, 'write flat lists of x, y with at least three points'
    ),
    'polygon-degenerate': Rule(
        WARNING, 'remove polygons that enclose nothing'
    ),
}  # fmt: skip

_SPLITS = {
    'split-shared-frames': Rule(
        WARNING, 'keep a video in one split only, or results are too good'
    ),
    'split-same-content': Rule(
        WARNING, 'keep a video in one split only, or results are too good'
    ),
    'split-same-name': Rule(
        NOTE, 'look whether these are parts of one video'
    ),
    'split-categories': Rule(
        WARNING, 'give a category one id and one name in all files'
    ),
}  # fmt: skip

RULES: Dict[str, Rule] = {
    **_FILE,
    **_IDS,
    **_CATEGORIES,
    **_VIDEOS,
    **_NAMES,
    **_FRAMES,
    **_LENGTHS,
    **_BOXES,
    **_TRACKS,
    **_MASKS,
    **_SPLITS,
}

# What is repaired in a video only if no mistake runs through all of it.
LEFT_ALONE: FrozenSet[str] = frozenset(
    {*_BOXES, *_MASKS, *_TRACKS, 'areas-length'}
)
