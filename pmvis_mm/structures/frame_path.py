"""Names of frames that lie inside a video file."""

import re
from typing import Optional, Tuple

VIDEO_SUFFIXES = (
    '.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ogv', '.webm',
    '.wmv',
)  # fmt: skip

_FRAME = re.compile(
    rf'(?P<video>.*(?:{"|".join(map(re.escape, VIDEO_SUFFIXES))}))'
    r'#(?P<frame>\d+)',
    re.IGNORECASE | re.DOTALL,
)


def video_frame_path(video: str, frame: int) -> str:
    """Name a frame of a video file, as ``file_names`` may hold it.

    Args:
        video (str): Path of the video file.
        frame (int): 0-based, in the order of presentation.

    Returns:
        str: Such as 'clips/a.mp4#17'.
    """
    return f'{video}#{frame}'


def split_frame_path(path: str) -> Optional[Tuple[str, int]]:
    """Tell video file and frame of a name, if it is one.

    Args:
        path (str): Of a frame.

    Returns:
        tuple, optional: Path of the video file and 0-based frame; None for
        the path of an image.
    """
    match = _FRAME.fullmatch(path)
    if match is None:
        return None
    return match['video'], int(match['frame'])
