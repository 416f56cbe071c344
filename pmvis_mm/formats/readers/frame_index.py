"""Finding the frame that an annotation names."""

import re
from pathlib import Path
from typing import Dict, Optional, Sequence

from ...structures.frame_path import split_frame_path


def number_in(name: str) -> Optional[int]:
    """Read the last number in a name: 17 in 'frame_000017'.

    Args:
        name (str): Without suffix.

    Returns:
        int, optional: None if there is none.
    """
    found = re.findall(r'\d+', name)
    return int(found[-1]) if found else None


def frame_of_number(
    number: int, first_frame: int, length: Optional[int]
) -> int:
    """Turn a number that a file gives to a frame into our index.

    Args:
        number (int): As in the file.
        first_frame (int): Number that it gives to the first frame.
        length (int, optional): Number of frames, if known.

    Returns:
        int: 0-based.

    Raises:
        ValueError: If the video has no such frame.
    """
    frame = number - first_frame
    if frame < 0:
        raise ValueError(
            f'frame {number} comes before the first one, which is '
            f'{first_frame}'
        )
    if length is not None and frame >= length:
        raise ValueError(
            f'frame {number} does not exist: the {length} frames are '
            f'numbered {first_frame} to {first_frame + length - 1}'
        )
    return frame


class FrameIndex:
    """Finds frames by the names that annotations have for them.

    The names may differ in folder and suffix, and if it is clear which
    frame is meant, in zeros: '17' is 'frame_000017.jpg'. Frames of a video
    file have a number only.

    Args:
        file_names (Sequence[str]): Of the video, in order.
        first_frame (int): Number of the first frame of a video file.
    """

    def __init__(self, file_names: Sequence[str], first_frame: int) -> None:
        self.length = len(file_names)
        self.first_frame = first_frame
        self._in_file = any(map(split_frame_path, file_names))
        stems = [Path(name).stem for name in file_names]
        self._stems: Dict[str, int] = _unique(stems)
        self._numbers = _unique([number_in(stem) for stem in stems])

    def find(self, name: str) -> int:
        """Look for a frame.

        Args:
            name (str): Without folder and suffix.

        Returns:
            int: 0-based.

        Raises:
            ValueError: If there is no such frame.
        """
        number = number_in(name)
        if self._in_file and number is not None:
            return frame_of_number(number, self.first_frame, self.length)
        if name in self._stems:
            return self._stems[name]
        if number is None or number not in self._numbers:
            raise ValueError(f'no image is called {name!r}')
        return self._numbers[number]


def _unique(keys: Sequence) -> Dict:
    """Index the keys that occur once."""
    index: Dict = {}
    for place, key in enumerate(keys):
        index[key] = None if key in index else place
    return {
        key: place
        for key, place in index.items()
        if key is not None and place is not None
    }
