"""Sharing out videos over processes while they work."""

import os
import shutil
from pathlib import Path
from typing import Iterator, List, Sequence

from ...utils.errors import OutputError

_FOLDER = 'claims'


class VideoClaims:
    """Gives each video to the first process that is free for it.

    A claim is an empty file that only one process can create, so that all
    that is needed is a folder which all of them see; without one every
    process gets every video, which costs time but no result. Claims lie in a
    folder of the run: those of a killed one are never met again.

    Args:
        folder (Path): Folder of the shards.
        token (str): Names the run; the same in all of its processes.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = Path(folder) / _FOLDER / token

    def claim(self, video_id: int) -> bool:
        """Try to get a video.

        Args:
            video_id (int): Id of the video.

        Returns:
            bool: Whether it is this process's now, and nobody else's.

        Raises:
            OutputError: If the folder cannot be written.
        """
        path = self.folder / str(video_id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputError(
                f'cannot write here: {error.strerror or error}',
                file=path,
                fix='choose another output folder or make this one writable',
            ) from error
        return True

    def take(self, video_ids: Sequence[int]) -> Iterator[int]:
        """Claim videos, one whenever the next is asked for.

        Args:
            video_ids (Sequence[int]): What there is to do, in order.

        Yields:
            int: Id of a video that nobody else has.
        """
        for video_id in video_ids:
            if self.claim(video_id):
                yield video_id


def remove_claims(folder: Path) -> None:
    """Remove the claims of all runs, killed ones included.

    Args:
        folder (Path): Folder of the shards, all of which are done.
    """
    shutil.rmtree(Path(folder) / _FOLDER, ignore_errors=True)


def longest_first(
    video_ids: Sequence[int], costs: Sequence[float]
) -> List[int]:
    """Sort videos so that the last ones to be claimed are short.

    Then no process waits long for the last one that works.

    Args:
        video_ids (Sequence[int]): Ids.
        costs (Sequence[float]): Expected time of each, in any unit.

    Returns:
        list[int]: The ids; equal costs stay in their order.
    """
    order = sorted(range(len(video_ids)), key=lambda i: -costs[i])
    return [video_ids[i] for i in order]
