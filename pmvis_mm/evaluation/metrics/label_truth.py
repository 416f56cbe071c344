"""Real masks for the videos of a labelling run."""

from typing import List, Tuple

from ...labeling.label_video import LabelResult
from ...structures import MaskTrack, PseudoMaskSet, VideoAnnotations
from ...utils.errors import AnnotationError
from ..functional import real_masks


def read_truth(ann_file: str) -> VideoAnnotations:
    """Read real masks; fails now, not after hours, if there are none.

    Args:
        ann_file (str): YouTube-VIS style json.

    Returns:
        VideoAnnotations: With the masks of every track.

    Raises:
        AnnotationError: If the file is malformed or without masks.
    """
    truth = VideoAnnotations.from_file(
        ann_file, with_masks=True, clip_boxes=True
    )
    for track in truth:
        real_masks(track, truth)
    return truth


def pair_with_truth(
    truth: VideoAnnotations, result: LabelResult, tracks: List[MaskTrack]
) -> Tuple[VideoAnnotations, PseudoMaskSet]:
    """Narrow real and pseudo masks down to one video.

    Args:
        truth (VideoAnnotations): See :func:`read_truth`.
        result (LabelResult): Tells the video.
        tracks (list[MaskTrack]): Its masks.

    Returns:
        tuple: The real masks and the pseudo masks of the video.

    Raises:
        AnnotationError: If the video is not in ``truth``.
    """
    video = result.video
    if truth.videos.get(video.id) != video:
        raise AnnotationError(
            'video is missing here or has other frames',
            file=truth.file,
            video=video.id,
            fix='name the real masks of the videos that are labelled',
        )
    videos = {video.id: video}
    real = VideoAnnotations(
        videos,
        truth.categories,
        {video.id: truth.tracks[video.id]},
        truth.file,
    )
    return real, PseudoMaskSet(videos, truth.categories, {video.id: tracks})
