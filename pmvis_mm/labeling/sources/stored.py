"""Masks that exist already, made by us or by anybody."""

from ...registry import MODELS
from ...structures import MaskTrack
from ..label_video import LabelResult, LabelVideo
from .base import MaskSource


@MODELS.register_module()
class StoredMasks(MaskSource):
    """Takes the masks of an earlier source as they are.

    For masks imported from another program, and for running hooks again
    without running the source again. The file is given to the dataset as
    ``priors=dict(NAME='FILE.json')``.

    Args:
        name (str): Which of the priors to take; also the source name of
            masks that name none.
    """

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class; instances without stored masks stay empty."""
        stored = video.prior(self.name)
        tracks = []
        for box_track in video.tracks:
            track = MaskTrack.empty_like(box_track)
            found = stored.get(box_track.id)
            for frame, box in enumerate(track.boxes):
                if found is not None and box is not None:
                    track.set(
                        frame,
                        found.masks[frame],
                        found.sources[frame] or self.name,
                        found.scores[frame],
                    )
            tracks.append(track)
        return LabelResult(video.info, tracks)
