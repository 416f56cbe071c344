"""Checkpoint files of detectron2's Mask2Former and of MaskFreeVIS."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from torch import Tensor

from ..datasets.metainfo import DATASET_CLASSES
from ..utils.checkpoint import read_checkpoint
from ..utils.converted_files import (
    PathLike,
    refuse_same_file,
    write_checkpoint,
)
from ..utils.errors import CheckpointError
from ..utils.mask2former_names import (
    CLASS_HEAD,
    mask2former_to_mm,
    warmup_counter,
)
from ..utils.vnext_names import ConversionReport, listing
from .conversion import (
    check_model,
    dataset_meta,
)


def convert_mask2former_checkpoint(
    src: PathLike,
    dst: Optional[PathLike] = None,
    config: Optional[PathLike] = None,
    classes: Optional[Sequence[str]] = None,
    new_classes: bool = False,
) -> ConversionReport:
    """Convert a checkpoint of Mask2Former or MaskFreeVIS to ours.

    Image models (``.pkl`` of the model zoo) and video models become weights
    of ``Mask2FormerVideo`` or ``MaskFreeVIS``; they take RGB images, as our
    configs do with ``bgr_to_rgb=True``.

    Args:
        src (str | Path): File to read; nothing in it is run.
        dst (str | Path, optional): File to write. None only checks.
        config (str | Path, optional): Config of our model. If given, the
            model is built and must take exactly these weights.
        classes (Sequence[str], optional): One name of a dataset, see
            ``metainfo.DATASET_CLASSES``, or the names of all classes in the
            order of their labels. By default the dataset that alone has as
            many; if none has, the result names no classes.
        new_classes (bool): Whether the config may have another number of
            classes: training then starts the class layer anew. Defaults to
            False.

    Returns:
        ConversionReport: What was used and dropped.

    Raises:
        CheckpointError: If ``src`` is missing, broken or of another model.
        ConfigError: If the config does not exist or has no model, or the
            classes are needed or of another number.
        OutputError: If ``dst`` cannot be written.
    """
    refuse_same_file(src, dst)
    theirs = read_checkpoint(src)['state_dict']
    ours, report = mask2former_to_mm(theirs, file=src)
    num_classes = _num_classes(ours, src)
    meta: Dict[str, Any] = dict(source=f'{Path(src).name} of detectron2')
    notes = [*report.notes]
    if classes is not None or _is_known(num_classes):
        meta['dataset_meta'] = dataset_meta(num_classes, classes, src)
    else:
        notes.append(
            f'{num_classes} classes as no dataset known here: the result '
            'names none; do so with --classes to predict with it'
        )
    count = warmup_counter(theirs)
    if count is not None:
        meta['warmup_counter'] = count
    if config is not None:
        anew = check_model(
            config, ours, num_classes, src, 'a Mask2FormerVideo', new_classes
        )
        notes += [f'{what}: {listing(names)}' for what, names in anew.items()]
    write_checkpoint(dict(state_dict=ours, meta=meta), dst)
    return replace(report, notes=tuple(notes))


def _num_classes(weights: Mapping[str, Tensor], src: PathLike) -> int:
    if CLASS_HEAD not in weights:
        raise CheckpointError(
            'no class_embed among the weights',
            file=src,
            fix='give a checkpoint of a whole Mask2Former',
        )
    return len(weights[CLASS_HEAD]) - 1  # the last one is "no object"


def _is_known(num_classes: int) -> bool:
    return num_classes in map(len, DATASET_CLASSES.values())
