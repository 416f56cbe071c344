"""IDOL, an online video instance segmentation model, and its relatives."""

from typing import Any, Dict, Mapping, Optional, Sequence

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import DetDataSample, SampleList, TrackSampleList
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.structures import InstanceData
from torch import Tensor

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from ...structures.rle import encode
from ...utils.errors import ConfigError
from ..dense_heads.dynamic_mask_head import to_pixels
from ..dense_heads.idol_head import Assignments, as_prediction
from ..dense_heads.reference_frames import ReferenceFrames
from ..detectors import FrameOutputs
from ..utils import full_size_masks, select_queries
from ..utils.frame_pairs import FramePair, make_pair, pair_boxes
from .checks import check_loss_inputs, check_same_size, check_test_cfg
from .online_video import OnlineVideo, ends_video, flatten, split_chunks

_TEST_CFG: Dict[str, Any] = dict(
    score_thr=0.1,
    nms_iou=0.9,
    chunk_size=10,
    multi_class=True,
    class_score_thr=0.05,
    temporal_score='mean',
)


@MODELS.register_module(name=['IDOL', 'PMVIS'])
class IDOL(BaseMOTModel):
    """`IDOL <https://arxiv.org/abs/2207.10661>`_ and the models built on it.

    IDOL, IDOL-BoxInst and `PM-VIS <https://arxiv.org/abs/2404.13863>`_ are
    one model; they differ in ``mask_head.mask_losses`` and in what masks
    the dataset gives.

    Training takes clips of two frames: the key frame is supervised, the
    reference frame teaches the embeddings that link instances, and masks in
    both are compared if a mask loss does so (``TKLoss``). Testing
    takes frames in order, any number at a time; the tracks go on until a
    frame of another video, or with ``frame_id`` 0, comes.

    Args:
        detector (dict): Config of an ``IDOLDetector``.
        mask_head (dict): Config of a ``DynamicMaskHead``.
        track_head (dict): Config of an ``IDOLTrackHead``.
        tracker (dict, optional): Config of an ``IDOLTracker``. Defaults to
            None, for training only.
        data_preprocessor (dict, optional): Config of a
            ``VISDataPreprocessor``. Defaults to None.
        test_cfg (dict, optional): ``score_thr``, ``nms_iou`` (0.1, 0.9):
            see ``select_queries``; ``chunk_size`` (10): frames that pass
            the network at once; ``multi_class`` (True),
            ``class_score_thr`` (0.05), ``temporal_score`` ('mean'): see
            ``TrackRecords``. Defaults to None.
        init_cfg (dict, optional): Initialization config. Defaults to None.

    Raises:
        ConfigError: If an option is unknown, or a loss needs colours or
            frames that the data preprocessor does not give.
    """

    def __init__(
        self,
        detector: dict,
        mask_head: dict,
        track_head: dict,
        tracker: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        self.mask_head = MODELS.build(mask_head)
        self.track_head = MODELS.build(track_head)
        self.tracker: Any = tracker and MODELS.build(tracker)
        self.test_cfg = check_test_cfg(test_cfg, _TEST_CFG)
        self._video: Optional[OnlineVideo] = None
        check_loss_inputs(self.mask_head.needs, self.data_preprocessor)

    # ---------------------------------------------------------- training
    def loss(
        self,
        inputs: Tensor,
        data_samples: TrackSampleList,
        similarity: Optional[Tensor] = None,
        lab: Optional[Tensor] = None,
        images: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> Dict[str, Tensor]:
        """Compute all losses of a batch of clips.

        Args:
            inputs (Tensor): float, (N, 2, 3, H, W), normalised and padded;
                key frame first.
            data_samples (list[TrackDataSample]): Of the N clips.
            similarity (Tensor, optional): float, (N, 1, K, h, w), colour
                similarity of the key frames.
            lab (Tensor, optional): float32, (N, 2, 3, h, w), CIE-Lab of the
                raw frames at mask stride, for losses over both frames.
            images (Tensor, optional): uint8, (N, 2, 3, H, W), raw RGB
                frames, padded with black, for some of those losses.
            kwargs: What else the data preprocessor gives; not used.

        Returns:
            dict[str, Tensor]: Weighted losses; those of decoder layers
            before the last start with ``d<layer>.``.

        Raises:
            ConfigError: If the clips do not have two frames, or frames of
                different size though a loss compares them.
        """
        if inputs.size(1) != 2:
            raise ConfigError(
                f'training clips have {inputs.size(1)} frames, not 2',
                fix='sample num_ref_imgs=1 in the training pipeline',
            )
        key_samples = [sample[0] for sample in data_samples]
        ref_samples = [sample[1] for sample in data_samples]
        feats = self.detector.extract_feat(inputs.flatten(0, 1))
        key = self.detector.forward_frames(
            [feat[0::2] for feat in feats], key_samples
        )
        ref = self.detector.forward_frames(
            [feat[1::2] for feat in feats], ref_samples
        )
        pairs = [make_pair(k, r) for k, r in zip(key_samples, ref_samples)]
        reference = None
        if self.mask_head.needs('tube'):
            check_same_size(key_samples, ref_samples)
            boxes = [
                pair_boxes(k, r) for k, r in zip(key_samples, ref_samples)
            ]
            targets = self.mask_head.get_tube_targets(
                boxes, key_samples[0].batch_input_shape, lab, images
            )
            reference = self._reference_frames(
                ref, pairs, ref_samples, targets
            )
        return self._losses(
            key, ref, pairs, key_samples, similarity, reference
        )

    def _reference_frames(
        self,
        ref: FrameOutputs,
        pairs: Sequence[FramePair],
        ref_samples: SampleList,
        targets: MaskTargets,
    ) -> ReferenceFrames:
        """Collect what losses over both frames read of the second."""
        head = self.detector.bbox_head
        # Not under no_grad: autocast would keep half precision copies of the
        # weights without gradient, and use them for the key frame as well.
        assignments = head.assign(
            *head(ref.hidden_states, ref.references),
            [pair.ref for pair in pairs],
        )
        return ReferenceFrames(
            ref,
            assignments,
            [pair.ref_rows for pair in pairs],
            [sample.img_shape for sample in ref_samples],
            targets,
        )

    def _losses(
        self,
        key: FrameOutputs,
        ref: FrameOutputs,
        pairs: Sequence[FramePair],
        key_samples: SampleList,
        similarity: Optional[Tensor],
        reference: Optional[ReferenceFrames],
    ) -> Dict[str, Tensor]:
        head = self.detector.bbox_head
        cls_scores, bbox_preds = head(key.hidden_states, key.references)
        batch_gt = [pair.key for pair in pairs]
        assignments = head.assign(cls_scores, bbox_preds, batch_gt)
        losses = head.loss_by_feat(
            cls_scores, bbox_preds, batch_gt, assignments
        )
        colours = getattr(self.data_preprocessor, 'similarity', None) or {}
        targets = self.mask_head.get_targets(
            [sample.gt_instances for sample in key_samples],
            key_samples[0].batch_input_shape,
            similarity,
            colours.get('dilation', 2),
        )
        losses.update(
            self.mask_head.loss_by_feat(
                key,
                assignments,
                targets,
                [sample.img_shape for sample in key_samples],
                reference,
            )
        )
        losses.update(self._reid_loss(key, ref, pairs, assignments))
        return losses

    def _reid_loss(
        self,
        key: FrameOutputs,
        ref: FrameOutputs,
        pairs: Sequence[FramePair],
        assignments: Assignments,
    ) -> Dict[str, Tensor]:
        head = self.detector.bbox_head
        with torch.no_grad():
            logits, boxes = head.predict_raw(ref.hidden_states, ref.references)
            chosen = [
                head.assigner.candidates(as_prediction(*query), pair.ref)
                for query, pair in zip(zip(logits, boxes), pairs)
            ]
        matched = [
            result.get_extra_property('matched_query')[pair.ref_rows]
            for result, pair in zip(assignments[-1], pairs)
        ]
        return self.track_head.loss(
            key.hidden_states[-1],
            ref.hidden_states[-1],
            matched,
            [positive for positive, _ in chosen],
            [not_negative for _, not_negative in chosen],
        )

    # ----------------------------------------------------------- testing
    def predict(
        self,
        inputs: Tensor,
        data_samples: TrackSampleList,
        **kwargs: Any,
    ) -> TrackSampleList:
        """Find and follow the instances of the next frames.

        Args:
            inputs (Tensor): float, (N, T, 3, H, W), normalised and padded.
                The N * T frames are in order; they may belong to several
                videos.
            data_samples (list[TrackDataSample]): Of the N clips, with
                ``video_id``, ``frame_id``, ``ori_video_length``,
                ``ori_shape`` and ``img_shape`` for each frame.
            kwargs: Not used.

        Returns:
            list[TrackDataSample]: The same. Every frame has
            ``pred_track_instances``: ``instances_id``, ``labels``,
            ``scores``, ``bboxes`` (xyxy, pixels of the original frame) and
            ``masks`` (list of compressed RLE) as far as known by now. The
            clip with the last frame of a video has ``pred_tracks``: what
            the whole video says about class and score, see
            ``TrackRecords.finish``.

        Raises:
            ConfigError: If there is no tracker.
            FrameError: If frames of a video differ in size.
        """
        if self.tracker is None:
            raise ConfigError(
                'this model has no tracker', fix='add tracker to the config'
            )
        frames = inputs.flatten(0, 1)
        samples = flatten(data_samples)
        for chunk in split_chunks(samples, self.test_cfg['chunk_size']):
            self._predict_chunk(frames[chunk], samples[chunk])
            # Only one video can end within a chunk, with its last frame.
            if ends_video(samples[chunk.stop - 1]):
                clip = data_samples[(chunk.stop - 1) // inputs.size(1)]
                clip.pred_tracks = self.finish_video()
        return data_samples

    def _predict_chunk(
        self, frames: Tensor, samples: Sequence[DetDataSample]
    ) -> None:
        """Let frames of one video pass the network, then go one by one."""
        frames = self._crop_canvas(frames, samples)
        head, detector = self.detector.bbox_head, self.detector
        out = detector.forward_frames(detector.extract_feat(frames), samples)
        logits, boxes = head.predict_raw(out.hidden_states, out.references)
        features = self.mask_head(out.memory)
        embeds = self.track_head(out.hidden_states[-1])
        for t, sample in enumerate(samples):
            queries = InstanceData(
                class_scores=logits[t].sigmoid(),
                boxes=boxes[t],
                embeds=embeds[t],
                hidden=out.hidden_states[-1, t],
                # What the last layer read, not what it made of it.
                points=out.references[-2][t, :, :2],
            )
            self._next_frame(queries, features[t], sample)

    def _crop_canvas(
        self, frames: Tensor, samples: Sequence[DetDataSample]
    ) -> Tensor:
        """Undo the padding that other videos of the batch have asked for."""
        divisor = max(
            getattr(self.data_preprocessor, 'pad_size_divisor', 1), 1
        )
        height, width = (
            -(-side // divisor) * divisor for side in samples[0].img_shape[:2]
        )
        for sample in samples:
            sample.set_metainfo(dict(batch_input_shape=(height, width)))
        return frames[..., :height, :width]

    def _next_frame(
        self, queries: InstanceData, features: Tensor, sample: DetDataSample
    ) -> None:
        """Select queries, link them to tracks, write the prediction."""
        video = self._video_of(sample)
        kept = queries[
            select_queries(
                queries.class_scores,
                queries.boxes,
                self.test_cfg['score_thr'],
                self.test_cfg['nms_iou'],
            )
        ]
        logits = self.mask_head.predict_masks(
            features, kept.hidden, to_pixels(kept.points, sample.img_shape)
        )
        scores, labels = kept.class_scores.max(-1)
        ids = self.tracker.track(sample.frame_id, scores, kept.embeds, logits)
        alive = ids >= 0
        video.records.add(
            sample.frame_id, ids[alive], kept.class_scores[alive]
        )
        video.last_frame = sample.frame_id
        masks = full_size_masks(
            logits[alive],
            sample.img_shape[:2],
            video.ori_shape,
            self.mask_head.mask_stride,
        )
        height, width = video.ori_shape
        scale = kept.boxes.new_tensor([width, height, width, height])
        sample.pred_track_instances = InstanceData(
            instances_id=ids[alive],
            labels=labels[alive],
            scores=scores[alive],
            bboxes=bbox_cxcywh_to_xyxy(kept.boxes[alive]) * scale,
            masks=[encode(mask) for mask in masks.cpu().numpy()],
        )

    def _video_of(self, sample: DetDataSample) -> OnlineVideo:
        """State of the video of a frame, new if it has just begun."""
        if self._video is None or not self._video.continues_with(sample):
            self.tracker.reset()
            self._video = OnlineVideo.start(sample)
        self._video.check_size(sample)
        return self._video

    def finish_video(self) -> Optional[InstanceData]:
        """Judge the tracks of a video that is over.

        For videos whose length was not known before (no
        ``ori_video_length``).

        Returns:
            InstanceData, optional: See ``TrackRecords.finish``; None if no
            video is under way.
        """
        if self._video is None:
            return None
        records, self._video = self._video.records, None
        return records.finish(
            self.test_cfg['multi_class'],
            self.test_cfg['class_score_thr'],
            self.test_cfg['temporal_score'],
        )

    def video_state(self) -> Optional[Dict[str, Any]]:
        """Tell what is remembered of the video that is under way.

        Returns:
            dict, optional: Numbers, lists and tensors on CPU, of a size
            that does not grow with the frames; None without a video.
        """
        if self._video is None:
            return None
        return dict(
            video=self._video.state_dict(), tracker=self.tracker.state_dict()
        )

    def load_video_state(self, state: Mapping[str, Any]) -> None:
        """Go on with a video where :meth:`video_state` was taken."""
        self._video = OnlineVideo.from_state_dict(state['video'])
        device = next(self.parameters()).device
        self.tracker.load_state_dict(state['tracker'], device)
