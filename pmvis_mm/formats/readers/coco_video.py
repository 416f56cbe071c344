"""Reading COCO files whose annotations know their track."""

from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ...structures.annotation_lists import Entries, index_by_id
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .coco_video_entries import COCOVideo, Entry
from .files import read_json, wrong_format
from .frame_folders import FrameFolders


@ANNOTATION_READERS.register_module(name='coco_video')
class COCOVideoReader(AnnotationReader):
    """Reads COCO json with videos and tracks, as of TAO and MMTracking.

    Boxes ``[x, y, width, height]`` are continuous: half-open as they are.
    Masks are RLE or polygons. Images name their video (``video_id``) and
    come in the order of ``frame_index`` or ``frame_id`` (from 0, from 1 or
    with gaps), else of the numbers in their names. Annotations name their
    track: ``track_id``, ``instance_id`` or ``ins_id``, the first that is
    there.

    The frames of a video are its images, those with and those without
    annotations. TAO annotates one frame per second and lists no others: such
    a video has one frame per second too, and ``file_names`` point into the
    full set of frames. ``neg_category_ids`` and
    ``not_exhaustive_category_ids`` have no place in a YouTube-VIS dataset
    and are left out; categories that one lists as ``merged`` count as it.
    Videos without an image are left out, and counted.

    Formats: https://github.com/TAO-Dataset/tao and MMTracking's CocoVID.

    Args:
        source (str | Path): The json file.
        frames (FrameFolders, optional): Frames on disk; read for the size of
            polygons where the file tells no size of images. Defaults to
            None.
        first_frame (int, optional): Number of the first frame; lower ones
            are refused. Defaults to None: any, as images name the frames.
    """

    title = 'COCO-video json'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional[FrameFolders] = None,
        first_frame: Optional[int] = None,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self._given_first = first_frame
        self._classes: Optional[Tuple[str, ...]] = None

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        file = str(self.source)
        data = read_json(self.source, self.title)
        self._check_kind(data)
        images = index_by_id(data['images'], 'image', file)
        videos = index_by_id(self._list(data, 'videos'), 'video', file)
        names = self._categories(data)
        by_video = self._group_images(images, videos)
        annotations = self._group_annotations(data, images)
        used: Dict[str, int] = {}
        empty = sum(not members for members in by_video.values())
        for key, members in by_video.items():
            if not members:
                continue
            name = _video_name(key, videos.get(key, {}), members[0])
            if used.setdefault(name, key) != key:
                raise AnnotationError(
                    f'videos {used[name]} and {key} have one name',
                    file=file,
                    video=name,
                    fix='give every video a "name" of its own',
                )
            video = COCOVideo(
                name,
                self.source,
                videos.get(key, {}),
                members,
                self.frames,
                self._given_first,
            )
            for entry in annotations.pop(key, ()):
                video.add(entry, names)
            closed = video.close()
            if empty:
                closed.dropped['videos without an image'] += empty
                empty = 0
            yield closed

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the names of the categories by id."""
        return self._classes

    def _check_kind(self, data: Any) -> None:
        if not isinstance(data, dict) or not isinstance(
            data.get('images'), list
        ):
            raise wrong_format(self.source, self.title, 'no list "images"')
        images = data['images']
        if images and not any(
            isinstance(image, dict) and 'video_id' in image for image in images
        ):
            raise AnnotationError(
                f'not {self.title}: no image has a "video_id", this is COCO '
                'json of single images',
                file=self.source,
                fix='add "video_id" and "frame_index" to images and '
                '"track_id" to annotations; single images without tracks '
                'make no videos',
            )

    def _list(self, data: Entry, key: str) -> List[Any]:
        found = data.get(key) or []
        if not isinstance(found, list):
            raise AnnotationError(
                f'"{key}" is {type(found).__name__}, not a list',
                file=self.source,
                fix='export it again, in the layout of COCO',
            )
        return found

    def _categories(self, data: Entry) -> Dict[int, str]:
        """Name the category ids; set the classes."""
        entries = index_by_id(
            self._list(data, 'categories'), 'category', str(self.source)
        )
        names = {key: self._name(key, entries[key]) for key in sorted(entries)}
        merged = {
            other: key
            for key, entry in entries.items()
            for other in _merged_ids(entry)
            if other != key
        }
        kept = [name for key, name in names.items() if key not in merged]
        self._check_unique({k: n for k, n in names.items() if k not in merged})
        self._classes = tuple(kept) or None
        names.update({other: names[key] for other, key in merged.items()})
        return names

    def _name(self, key: int, category: Entry) -> str:
        name = category.get('name')
        if not isinstance(name, str) or not name.strip():
            raise AnnotationError(
                f'category {key} has no name',
                file=self.source,
                fix='give every category a "name"',
            )
        return name

    def _check_unique(self, names: Dict[int, str]) -> None:
        seen: Dict[str, int] = {}
        for key, name in names.items():
            if name in seen:
                raise AnnotationError(
                    f'categories {seen[name]} and {key} are both called '
                    f'{name!r}',
                    file=self.source,
                    fix='give every category a name of its own, or remove one',
                )
            seen[name] = key

    def _group_images(
        self, images: Entries, videos: Entries
    ) -> Dict[int, List[Entry]]:
        groups: Dict[int, List[Entry]] = {key: [] for key in videos}
        for key, image in images.items():
            video: Any = image.get('video_id')
            known = type(video) is int and (not videos or video in videos)
            if not known:
                raise AnnotationError(
                    f'image {key} has the unknown video_id {video!r}',
                    file=self.source,
                    fix='list the video in "videos"',
                )
            groups.setdefault(video, []).append(image)
        return groups

    def _group_annotations(
        self, data: Entry, images: Entries
    ) -> Dict[int, List[Entry]]:
        """Sort annotations by video, in the order of the file."""
        groups: Dict[int, List[Entry]] = {}
        for position, entry in enumerate(self._list(data, 'annotations')):
            image = entry.get('image_id') if isinstance(entry, dict) else None
            if not isinstance(image, int) or image not in images:
                raise AnnotationError(
                    f'annotation number {position} has the unknown image_id '
                    f'{image!r}',
                    file=self.source,
                    fix='list the image in "images", or remove the annotation',
                )
            video = images[image]['video_id']
            if entry.get('video_id', video) != video:
                raise AnnotationError(
                    f'annotation number {position} has video_id '
                    f'{entry["video_id"]!r}, but its image is of video '
                    f'{video}',
                    file=self.source,
                    fix='correct the one or the other',
                )
            groups.setdefault(video, []).append(entry)
        return groups


def _video_name(key: int, video: Entry, image: Entry) -> str:
    name = video.get('name') or video.get('file_name')
    if isinstance(name, str):
        return name
    folder = PurePosixPath(str(image.get('file_name', ''))).parent.as_posix()
    return str(key) if folder == '.' else folder


def _merged_ids(category: Entry) -> List[int]:
    """Tell the ids of the categories that count as this one."""
    merged = category.get('merged')
    entries = merged if isinstance(merged, list) else []
    ids = [entry.get('id') for entry in entries if isinstance(entry, dict)]
    return [key for key in ids if type(key) is int]
