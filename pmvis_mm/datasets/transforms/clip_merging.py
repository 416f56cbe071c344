"""Making new objects of old ones: two clips in one, two objects in one."""

from typing import Any, List, Tuple

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .clip_crop import check_one_size, is_object


@TRANSFORMS.register_module()
class MergeClips(BaseTransform):
    """Paste the objects of a second clip over the first, frame by frame.

    As `AOT <https://arxiv.org/abs/2106.02638>`_ is trained: more objects,
    more occlusions. The objects of the second clip are numbered after those
    of the first. Of more than ``max_objects`` some are dropped at random:
    those of the first clip become background, those of the second are not
    pasted. Belongs into the pipeline of mmdet's ``MultiImageMixDataset``.

    Required Keys (lists over the T frames of a clip of one size):

    - img (np.uint8 or np.float32, (H, W, 3))
    - gt_seg_map (np.uint8, (H, W))
    - mix_results (list[dict]): None or one second clip.

    Modified Keys:

    - img, gt_seg_map

    Args:
        prob (float): Probability to merge; 1.0 for static images, 0.3 for
            video. Defaults to 0.3.
        max_objects (int): Most objects of the result. Defaults to 10.

    Raises:
        ConfigError: If ``prob`` is no probability, or the clips differ in
            size.
    """

    def __init__(self, prob: float = 0.3, max_objects: int = 10) -> None:
        if not 0 <= prob <= 1:
            raise ConfigError(
                f'prob={prob} is no probability', fix='use 0 ... 1'
            )
        self.prob = prob
        self.max_objects = max_objects

    def get_indexes(self, dataset: Any) -> List[int]:
        """Draw the second clip; called by ``MultiImageMixDataset``.

        Args:
            dataset (Dataset): Of clips.

        Returns:
            list[int]: One index, or none if there is nothing to merge.
        """
        if np.random.rand() >= self.prob:
            return []
        return [int(np.random.randint(len(dataset)))]

    def transform(self, results: dict) -> dict:
        """Merge two clips.

        Args:
            results (dict): The first one, with the second in it.

        Returns:
            dict: The first one, changed.
        """
        for other in results.get('mix_results') or ():
            self._paste(results, other)
        return results

    def _paste(self, results: dict, other: dict) -> None:
        images, labels = results['img'], results['gt_seg_map']
        check_one_size(
            dict(
                results,
                img=[*images, *other['img']],
                gt_seg_map=[*labels, *other['gt_seg_map']],
            )
        )
        tables = self._tables(labels, other['gt_seg_map'])
        for t, (image, seg) in enumerate(zip(images, labels)):
            seg = tables[0][seg]
            pasted = tables[1][other['gt_seg_map'][t]]
            shown = is_object(pasted)
            seg[shown] = pasted[shown]
            labels[t] = seg
            images[t] = np.where(shown[..., None], other['img'][t], image)

    def _tables(
        self, first: List[np.ndarray], second: List[np.ndarray]
    ) -> List[np.ndarray]:
        """Map the labels of both clips to labels of the merged one."""
        found = [_objects(first), _objects(second)]
        pairs = [(clip, n) for clip in (0, 1) for n in found[clip]]
        if len(pairs) > self.max_objects:
            chosen = np.random.choice(
                len(pairs), self.max_objects, replace=False
            )
            pairs = [pairs[i] for i in sorted(chosen)]
        tables = [np.zeros(256, np.uint8) for _ in found]
        for label, (clip, number) in enumerate(pairs, 1):
            tables[clip][number] = label
        for table in tables:
            table[255] = 255
        return tables

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, '
            f'max_objects={self.max_objects})'
        )


@TRANSFORMS.register_module()
class JoinObjects(BaseTransform):
    """Make one object of two, so that objects have parts of unlike looks.

    On synthetic shapes each object has one texture; a network could learn
    to follow textures instead of the mask that it was given. Not part of
    the recipe of DeAOT. Two objects that the first frame shows are chosen,
    neighbours if there are any.

    Required Keys (lists over the T frames of a clip):

    - gt_seg_map (np.uint8, (H, W))

    Modified Keys: the same.

    Args:
        prob (float): Probability to join. Defaults to 0.5.

    Raises:
        ConfigError: If ``prob`` is no probability.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ConfigError(
                f'prob={prob} is no probability', fix='use 0 ... 1'
            )
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Join two objects of a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict: The same with other label maps.
        """
        labels = results['gt_seg_map']
        objects = _objects(labels[:1])
        if len(objects) < 2 or np.random.rand() >= self.prob:
            return results
        pairs = _neighbours(labels[0])
        if not pairs:
            pairs = [(a, b) for a in objects for b in objects if a < b]
        kept, joined = pairs[np.random.randint(len(pairs))]
        for seg in labels:
            seg[seg == joined] = kept
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'


def _neighbours(labels: np.ndarray) -> List[Tuple[int, int]]:
    """List pairs of objects that share a border."""
    sides = [
        np.stack([labels[1:].ravel(), labels[:-1].ravel()]),
        np.stack([labels[:, 1:].ravel(), labels[:, :-1].ravel()]),
    ]
    touching = np.concatenate(sides, axis=1)
    both = is_object(touching).all(axis=0) & (touching[0] != touching[1])
    return sorted({(int(min(p)), int(max(p))) for p in touching[:, both].T})


def _objects(labels: List[np.ndarray]) -> List[int]:
    """List the objects of a clip."""
    numbers = np.unique(np.stack(labels))
    return [int(n) for n in numbers if 0 < n < 255]
