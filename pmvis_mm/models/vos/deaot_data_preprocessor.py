"""From clips of raw frames to what DeAOT trains on."""

from typing import Any, Dict, Sequence

import torch
from mmengine.model import BaseDataPreprocessor

from ...registry import MODELS
from ...utils.errors import FrameError


@MODELS.register_module()
class DeAOTDataPreprocessor(BaseDataPreprocessor):
    """Stack clips of one size and normalise them.

    Nothing is padded: a transform has cropped the clips. The numbers are
    those that :func:`~.frame_input.prepare_frame` uses in inference.

    Args:
        mean (Sequence[float]): Of R, G, B, in 0..255. Defaults to that of
            ImageNet.
        std (Sequence[float]): Of R, G, B, in 0..255. Defaults to that of
            ImageNet.
        bgr_to_rgb (bool): Whether frames come as BGR. Defaults to True.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
    ) -> None:
        super().__init__()
        self.bgr_to_rgb = bgr_to_rgb
        for name, values in (('mean', mean), ('std', std)):
            value = torch.tensor(values).view(3, 1, 1)
            # Not part of checkpoints: a file must not change the config.
            self.register_buffer(name, value, persistent=False)

    def forward(
        self, data: Dict[str, Any], training: bool = False
    ) -> Dict[str, Any]:
        """Prepare a batch of clips.

        Args:
            data (dict): ``inputs``, a list of B tensors (T, 3, H, W), raw
                frames of one size and number, or one tensor of them all;
                ``data_samples`` pass, on the device of the model.
            training (bool): Without effect. Defaults to False.

        Returns:
            dict: ``inputs``, float32, (B, T, 3, H, W), normalised RGB, and
            ``data_samples``.

        Raises:
            FrameError: If clips differ in shape, or are no colour frames.
        """
        data = self.cast_data(data)
        clips = list(data['inputs'])
        shapes = sorted({tuple(clip.shape) for clip in clips})
        if len(shapes) > 1:
            raise FrameError(
                f'clips of a batch have the shapes {shapes} '
                '(frames, channels, height, width)',
                fix='crop all clips to one size, with as many frames each',
            )
        inputs = torch.stack(clips)
        if inputs.ndim != 5 or inputs.size(2) != 3:
            raise FrameError(
                f'a clip has the shape {shapes[0]}',
                fix='give (frames, 3, height, width)',
            )
        if self.bgr_to_rgb:
            inputs = inputs.flip(2)
        inputs = (inputs.float() - self.mean) / self.std
        return dict(data, inputs=inputs)
