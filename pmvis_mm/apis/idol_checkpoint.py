"""Checkpoint files of IDOL: VNext's and ours, both ways."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from torch import Tensor

from ..utils.checkpoint import read_checkpoint
from ..utils.converted_files import (
    PathLike,
    refuse_same_file,
    write_checkpoint,
)
from ..utils.errors import CheckpointError, ConfigError
from ..utils.vnext_names import (
    ConversionReport,
    mm_to_vnext_with_report,
    vnext_to_mm,
)
from .conversion import (
    check_model,
    dataset_meta,
)

_CLASS_HEAD = 'detector.bbox_head.cls_branches.0.bias'


def convert_idol_checkpoint(
    src: PathLike,
    dst: Optional[PathLike] = None,
    config: Optional[PathLike] = None,
    classes: Optional[Sequence[str]] = None,
    reverse: bool = False,
) -> ConversionReport:
    """Convert a checkpoint of VNext's IDOL to ours, or ours to VNext's.

    Args:
        src (str | Path): File to read; nothing in it is run.
        dst (str | Path, optional): File to write. None only checks.
        config (str | Path, optional): Config of our model. If given, the
            model is built and must take exactly these weights.
        classes (Sequence[str], optional): One name of a dataset, see
            ``metainfo.DATASET_CLASSES``, or the names of all classes in the
            order of their labels. By default the dataset that alone has as
            many. Only for VNext's files, which do not name them.
        reverse (bool): Whether ``src`` is ours. Defaults to False.

    Returns:
        ConversionReport: What was used, dropped and made up.

    Raises:
        CheckpointError: If ``src`` is missing, broken or of another model.
        ConfigError: If the config does not exist or has no model, or the
            classes are needed, unknown or of another number.
        OutputError: If ``dst`` cannot be written.
    """
    refuse_same_file(src, dst)
    if reverse and classes is not None:
        raise ConfigError(
            f"VNext's files do not name classes, got {list(classes)}",
            fix='leave out the classes',
        )
    weights = read_checkpoint(src)['state_dict']
    data: Dict[str, Any]
    if reverse:
        theirs, report = mm_to_vnext_with_report(weights, file=src)
        ours, data = weights, dict(model=theirs)
    else:
        ours, report = vnext_to_mm(weights, file=src)
        names = dataset_meta(_num_classes(ours, src), classes, src)
        source = f'{Path(src).name} of VNext'
        meta = dict(dataset_meta=names, source=source)
        data = dict(state_dict=ours, meta=meta)
    if config is not None:
        check_model(config, ours, _num_classes(ours, src), src, 'an IDOL')
    write_checkpoint(data, dst)
    return report


def _num_classes(weights: Mapping[str, Tensor], src: PathLike) -> int:
    if _CLASS_HEAD not in weights:
        raise CheckpointError(
            'no class_embed among the weights',
            file=src,
            fix="give a checkpoint of VNext's whole IDOL",
        )
    return len(weights[_CLASS_HEAD])
