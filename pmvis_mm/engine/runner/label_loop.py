"""The loop that labels videos."""

import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import TestLoop
from torch.utils.data import DataLoader

from ...labeling.label_video import LabelResult, LabelVideo
from ...registry import LOOPS
from ...structures import PseudoMaskSet
from ...utils.errors import PMVISError
from ...utils.fileio import dump_json, ensure_writable
from .shards import ShardStore, fingerprint

FINAL = 'masks.json'


@LOOPS.register_module()
class LabelLoop(TestLoop):
    """Walks over videos: predict, hooks on ``after_label``, write.

    A video is finished when its shard is on disk, so that a killed run
    repeats at most the video it was in. Shards lie in a folder named after
    a hash of the config and of every file it names (annotations, earlier
    masks, checkpoints): a changed input never meets stale shards.

    Written to ``out_dir`` by the first process, when all are done:
    ``masks.json`` (the result), ``stages/NAME.json`` (every stage on the
    way, ``raw`` is the source alone) and ``label_stats.json`` (costs).

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Yields lists of LabelVideo.
        evaluator (Evaluator or dict or list): Judges the results.
        out_dir (str, optional): Defaults to the runner's work folder.

    Raises:
        OutputError: If ``out_dir`` cannot be written; found at once.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Union[DataLoader, Dict],
        evaluator: Union[Evaluator, Dict, List],
        out_dir: Optional[str] = None,
    ) -> None:
        self.out_dir = Path(out_dir or runner.work_dir)
        ensure_writable(self.out_dir)
        super().__init__(runner, dataloader, evaluator)
        cfg = runner.cfg
        key = fingerprint(
            cfg.get('model'),
            cfg.get('test_dataloader', {}).get('dataset'),
            cfg.get('custom_hooks'),
            cfg.get('load_from'),
        )
        self.store = ShardStore(
            self.out_dir / f'shards-{key}',
            self.dataloader.dataset.annotations.categories,
        )

    def run(self) -> Dict[str, float]:
        """Label what is not labelled yet, then write and judge the result.

        Returns:
            dict: Metrics.
        """
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        for index, batch in enumerate(self.dataloader):
            self.run_iter(index, batch)
        barrier()
        if is_main_process():
            self._write()
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: List[LabelVideo]) -> None:
        """Label a batch of videos."""
        self.runner.call_hook(
            'before_test_iter', batch_idx=idx, data_batch=data_batch
        )
        results = [self._finish(video) for video in data_batch]
        self.evaluator.process(data_samples=results, data_batch=None)
        self.runner.call_hook(
            'after_test_iter',
            batch_idx=idx,
            data_batch=data_batch,
            outputs=results,
        )

    def _finish(self, video: LabelVideo) -> LabelResult:
        if not self.store.exists(video.info):
            try:
                result, stats = self._label(video)
            except PMVISError:
                self.runner.logger.error(
                    f'stopped at video {video.info.id}; finished videos stay '
                    f'in {self.store.folder} and are not done again'
                )
                raise
            self.store.write(result, stats)
        # Always through the disk, so that a resumed run gives equal bytes.
        return self.store.read(video.info)

    def _label(self, video: LabelVideo) -> 'tuple[LabelResult, dict]':
        start = time.perf_counter()
        result: LabelResult = self.runner.model.test_step([video])[0]
        result.commit('raw', result.tracks)
        source_done = time.perf_counter()
        self.runner.call_hook('after_label', video=video, result=result)
        boxes = sum(b is not None for t in video.tracks for b in t.boxes)
        stats = dict(
            frames=video.info.length,
            boxes=boxes,
            source_seconds=source_done - start,
            hook_seconds=time.perf_counter() - source_done,
        )
        return result, stats

    def _write(self) -> None:
        annotations = self.dataloader.dataset.annotations
        final = PseudoMaskSet.empty_like(annotations)
        stages: Dict[str, PseudoMaskSet] = {}
        totals: Dict[str, float] = {}
        for video in annotations.videos.values():
            result = self.store.read(video)
            final.tracks[video.id] = result.tracks
            for name, tracks in result.stages.items():
                stage = stages.setdefault(
                    name, PseudoMaskSet.empty_like(annotations)
                )
                stage.tracks[video.id] = tracks
            for name, value in self.store.stats(video).items():
                totals[name] = totals.get(name, 0) + value
        for name, masks in stages.items():
            masks.dump(self.out_dir / 'stages' / f'{name}.json')
        final.dump(self.out_dir / FINAL)
        seconds = totals['source_seconds']
        totals['seconds_per_frame'] = seconds / max(totals['frames'], 1)
        totals['seconds_per_mask'] = seconds / max(totals['boxes'], 1)
        dump_json(totals, self.out_dir / 'label_stats.json')
        self.runner.logger.info(
            f'{final.num_masks} masks for {annotations.num_boxes} boxes '
            f'written to {self.out_dir / FINAL}; '
            f'{1000 * totals["seconds_per_frame"]:.1f} ms per frame, '
            f'{1000 * totals["seconds_per_mask"]:.1f} ms per mask'
        )
