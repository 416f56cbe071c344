"""What an online model keeps of the video that it is watching."""

from dataclasses import dataclass, field
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from mmdet.structures import DetDataSample

from ...utils.errors import FrameError
from ..trackers import TrackRecords


@dataclass
class OnlineVideo:
    """State between two calls, of a size that does not grow with frames.

    Attributes:
        video_id (int, optional): As in the data samples.
        ori_shape (tuple[int]): Height and width of its frames, pixels.
        last_frame (int): The frame seen last; -1 before the first.
        records (TrackRecords): Hits and classes of the tracks.
    """

    video_id: Optional[int]
    ori_shape: Tuple[int, int]
    last_frame: int = -1
    records: TrackRecords = field(default_factory=TrackRecords)

    @classmethod
    def start(cls, sample: DetDataSample) -> 'OnlineVideo':
        """Begin with the video of a frame."""
        height, width = sample.ori_shape[:2]
        return cls(sample.get('video_id'), (height, width))

    def state_dict(self) -> Dict[str, Any]:
        """Tell what has to be known to go on with the video.

        Returns:
            dict: Numbers, lists and tensors on CPU.
        """
        return dict(
            video_id=self.video_id,
            ori_shape=self.ori_shape,
            last_frame=self.last_frame,
            records=self.records.state_dict(),
        )

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> 'OnlineVideo':
        """Make the object again that :meth:`state_dict` has described."""
        video = cls(
            state['video_id'], tuple(state['ori_shape']), state['last_frame']
        )
        video.records.load_state_dict(state['records'])
        return video

    def continues_with(self, sample: DetDataSample) -> bool:
        """Whether a frame belongs to the same showing of the same video."""
        return (
            sample.get('video_id') == self.video_id
            and sample.frame_id > self.last_frame
        )

    def check_size(self, sample: DetDataSample) -> None:
        """Refuse a frame of another size.

        Args:
            sample (DetDataSample): Of a frame of this video.

        Raises:
            FrameError: If it differs from the first frame.
        """
        if tuple(sample.ori_shape[:2]) != self.ori_shape:
            raise FrameError(
                f'frame is {tuple(sample.ori_shape[:2])} but the video began '
                f'with {self.ori_shape} (height, width)',
                file=sample.get('img_path'),
                video=self.video_id,
                frame=sample.frame_id,
                fix='bring all frames of a video to one size',
            )


def ends_video(sample: DetDataSample) -> bool:
    """Whether a frame is the last one of its video."""
    length = sample.get('ori_video_length')
    return length is not None and sample.frame_id == length - 1


def split_chunks(
    samples: Sequence[DetDataSample], chunk_size: int
) -> Iterator[slice]:
    """Cut consecutive frames into chunks that pass the network together.

    Args:
        samples (Sequence[DetDataSample]): In the order of the frames.
        chunk_size (int): Most frames in one chunk.

    Yields:
        slice: Frames of one video and one size.
    """
    start = 0
    for stop in range(1, len(samples) + 1):
        full = stop - start == chunk_size
        if stop < len(samples) and not full:
            a, b = samples[stop - 1], samples[stop]
            same = (
                a.get('video_id') == b.get('video_id')
                and b.frame_id > a.frame_id
                and a.img_shape == b.img_shape
            )
            if same:
                continue
        yield slice(start, stop)
        start = stop


def flatten(data_samples: Sequence) -> List[DetDataSample]:
    """List the frames of clips, clip by clip."""
    return [frame for clip in data_samples for frame in clip]
