"""Finished videos on disk: what makes labelling survive a kill."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Set

from mmengine.config import Config

from ...labeling.label_video import LabelResult
from ...structures import PseudoMaskSet, VideoInfo
from ...utils.errors import MaskSetError
from ...utils.fileio import dump_json, file_sha256, load_json


def fingerprint(*parts: Any) -> str:
    """Hash configs together with the content of every file they name.

    Args:
        *parts: Nested dicts, lists and plain values. A string that is the
            path of a file counts by its content, not by its name, and a
            config by what it and its bases say. What *that* config names
            (the data it was trained on, say) counts by name only.

    Returns:
        str: 12 hex digits.
    """
    text = json.dumps([_plain(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any, open_files: bool = True) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v, open_files) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, open_files) for item in value]
    if open_files and isinstance(value, (str, Path)) and _is_file(value):
        return _file_content(Path(value))
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return repr(value)


def _is_file(value: Any) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # too long or with a NUL: not a path
        return False


def _file_content(path: Path) -> Dict[str, Any]:
    if path.suffix == '.py':
        try:
            parsed = Config.fromfile(str(path)).to_dict()
            return dict(config=_plain(parsed, open_files=False))
        except Exception:  # Python, but no config: whatever running it raises
            pass
    return dict(sha256=file_sha256(path))


class ShardStore:
    """One file per finished video, written atomically.

    Args:
        folder (Path): Where the shards are.
        categories (list[dict]): Categories of the dataset.
    """

    def __init__(self, folder: Path, categories: List[Dict[str, Any]]) -> None:
        self.folder = folder
        self.categories = categories

    def path(self, video: VideoInfo) -> Path:
        """Name the shard of a video."""
        return self.folder / f'{video.id}.json'

    def exists(self, video: VideoInfo) -> bool:
        """Tell whether a video is finished."""
        return self.path(video).is_file()

    def finished(self) -> Set[str]:
        """List the ids of all finished videos, as texts.

        One look into the folder: asking for every video of a large dataset
        takes long on a network drive, which may also remember a "no".
        """
        return {path.stem for path in self.folder.glob('*.json')}

    def write(self, result: LabelResult, stats: Dict[str, Any]) -> None:
        """Store a finished video with all its stages."""
        stages = {}
        for stage, tracks in result.stages.items():
            masks = PseudoMaskSet(
                {result.video.id: result.video},
                self.categories,
                {result.video.id: tracks},
            )
            stages[stage] = masks.to_json()
        data = dict(stages=stages, stats=stats)
        dump_json(data, self.path(result.video))

    def read(self, video: VideoInfo) -> LabelResult:
        """Load a finished video.

        Raises:
            MaskSetError: If the shard is broken or of another video.
        """
        result = LabelResult(video, [])
        for stage, data in self._load(video)['stages'].items():
            masks = PseudoMaskSet.from_json(data, str(self.path(video)))
            if masks.videos.get(video.id) != video:
                raise self._broken(video)
            result.commit(stage, masks.tracks[video.id])
        return result

    def stats(self, video: VideoInfo) -> Dict[str, Any]:
        """Load what was measured while a video was labelled."""
        return self._load(video)['stats']

    def _load(self, video: VideoInfo) -> Dict[str, Any]:
        path = self.path(video)
        data = load_json(path, MaskSetError)
        if not isinstance(data, dict) or not all(
            isinstance(data.get(key), dict) for key in ('stages', 'stats')
        ):
            raise self._broken(video)
        return data

    def _broken(self, video: VideoInfo) -> MaskSetError:
        return MaskSetError(
            'not a finished video',
            file=self.path(video),
            video=video.id,
            fix='delete this file and run again',
        )
