"""Stages that need no processes of their own: filter, overlay, report."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmengine.logging import print_log

from ...labeling.filtering import filter_missing_data, filter_ria
from ...review.work_dir import write_review_inputs
from ...structures import PseudoMaskSet
from ...utils.fileio import dump_json, load_json
from ...visualization.overlay_tracks import (
    overlay_masks,
    overlay_videos,
    read_results,
)
from ...visualization.report import write_report
from .config import Stage
from .data import PipelineData

RESULTS = 'predictions.results.json'


def filter_annotations(stage: Stage, folder: Path, data: PipelineData) -> Path:
    """Apply Missing-Data and, with real masks, RIA.

    Args:
        stage (dict): ``pseudo`` and ``ria``, the threshold or None.
        folder (Path): Gets ``annotations.json`` and ``stats.json``.
        data (PipelineData): Data.

    Returns:
        Path: The filtered annotations.
    """
    source = data.truth_file or data.ann_file
    pseudo = PseudoMaskSet.load(stage['pseudo'])
    content = load_json(source)
    content, stats = filter_missing_data(content, pseudo, name=source)
    report = dict(missing_data=vars(stats))
    if data.truth_file is not None and stage.get('ria') is not None:
        content, stats = filter_ria(content, pseudo, stage['ria'], name=source)
        report['ria'] = vars(stats)
    dump_json(content, folder / 'annotations.json')
    dump_json(report, folder / 'stats.json')
    print_log(f'filtered {source}: {report}')
    return folder / 'annotations.json'


def paint_overlay(stage: Stage, folder: Path, data: PipelineData) -> Path:
    """Paint pseudo masks or predictions over some videos.

    Args:
        stage (dict): ``masks``, or ``metrics`` of a test; ``num_videos``.
        folder (Path): Gets the videos.
        data (PipelineData): Data.

    Returns:
        Path: The folder.
    """
    number = stage.get('num_videos', 3)
    folder.mkdir(parents=True, exist_ok=True)
    if stage.get('masks') is not None:
        masks = PseudoMaskSet.load(stage['masks'])
        overlay_masks(masks, data.img_prefix, folder, num_videos=number)
    elif stage.get('metrics') is not None:  # predictions lie beside them
        results = Path(stage['metrics']).with_name(RESULTS)
        videos = data.read(str(data.val_ann_file))
        tracks = read_results(results, videos)
        overlay_videos(
            videos.videos,
            tracks,
            videos.categories,
            str(data.val_img_prefix),
            folder,
            num_videos=number,
        )
    return folder


def make_report(
    stage: Stage,
    folder: Path,
    data: PipelineData,
    times: List[Dict[str, Any]],
) -> Path:
    """Write the report.

    Args:
        stage (dict): ``final``, ``sources``, ``metrics``, ``filtered``.
        folder (Path): Gets ``report.html``, and ``inputs.json`` for the
            label review.
        data (PipelineData): Data.
        times (list[dict]): Seconds of the stages.

    Returns:
        Path: The report.
    """
    sources = {
        name: PseudoMaskSet.load(path)
        for name, path in (stage.get('sources') or {}).items()
    }
    truth = None
    if data.truth_file is not None:
        truth = data.read(data.truth_file, with_masks=True)
    write_report(
        folder / 'report.html',
        final=PseudoMaskSet.load(stage['final']),
        sources=sources,
        annotations=data.read(data.ann_file),
        img_prefix=data.img_prefix,
        truth=truth,
        stage_times=times,
        metrics=_optional_json(stage.get('metrics')),
        filter_stats=_optional_json(stage.get('filtered'), 'stats.json'),
    )
    write_review_inputs(
        folder,
        stage['final'],
        stage.get('sources'),
        data.ann_file,
        data.img_prefix,
    )
    return folder / 'report.html'


def _optional_json(
    path: Optional[str], name: Optional[str] = None
) -> Mapping[str, Any]:
    if path is None:
        return {}
    content: Mapping[str, Any] = load_json(
        Path(path).with_name(name) if name else path
    )
    return content
