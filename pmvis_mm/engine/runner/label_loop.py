"""The loop that labels videos."""

import itertools
import time
import uuid
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Union

import torch
from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.evaluator import Evaluator
from mmengine.runner import TestLoop
from torch.utils.data import DataLoader

from ...labeling.label_video import LabelResult, LabelVideo
from ...registry import LOOPS
from ...structures import PseudoMaskSet, VideoAnnotations
from ...utils.errors import PMVISError
from ...utils.fileio import dump_json, ensure_writable
from .claims import VideoClaims, longest_first, remove_claims
from .shards import ShardStore, fingerprint

FINAL = 'masks.json'


@LOOPS.register_module()
class LabelLoop(TestLoop):
    """Walks over videos: predict, hooks on ``after_label``, write.

    A video is finished when its shard is on disk, so that a killed run
    repeats at most the video it was in. Shards lie in a folder named after
    a hash of the config and of every file it names (annotations, earlier
    masks, checkpoints): a changed input never meets stale shards.

    Several processes (``tools/dist_test.sh``, ``tools/slurm_test.sh``) take
    one video after the other, those with most frames and boxes first, so
    that a slow one leaves its share to the rest. They need a common
    ``out_dir``. Their number does not change a byte of the result.

    Written to ``out_dir`` by the first process, when all are done:
    ``masks.json`` (the result), ``stages/NAME.json`` (every stage on the
    way, ``raw`` is the source alone) and ``label_stats.json`` (costs of all
    videos; under ``ranks`` what each process of this run did).

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Of videos to label. Only its dataset
            counts, neither its sampler nor batches nor workers.
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
        # Videos are handed out when a process is free, which no sampler does;
        # their frames are read when asked for, so that workers would idle.
        self.dataset: Any = self.dataloader.dataset  # type: ignore[has-type]
        self.dataloader = DataLoader(self.dataset, collate_fn=list)
        self.annotations: VideoAnnotations = self.dataset.annotations
        cfg = runner.cfg
        key = fingerprint(
            cfg.get('model'),
            cfg.get('test_dataloader', {}).get('dataset'),
            cfg.get('custom_hooks'),
            cfg.get('load_from'),
        )
        self.store = ShardStore(
            self.out_dir / f'shards-{key}', self.annotations.categories
        )

    def run(self) -> Dict[str, float]:
        """Label what is not labelled yet, then write and judge the result.

        Returns:
            dict: Metrics.
        """
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        todo = self._read_finished()
        shares = self._label_shared(todo)
        if is_main_process():
            self._write(shares)
            remove_claims(self.store.folder)
        metrics = self.evaluator.evaluate(len(self.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _read_finished(self) -> List[int]:
        """Judge what earlier runs have finished; returns ids of the rest.

        Broken shards are so found before hours of work.
        """
        videos = list(self.annotations.videos.values())
        found = [self.store.finished()]
        broadcast_object_list(found)  # others may see the folder later
        done = [video for video in videos if str(video.id) in found[0]]
        if done:
            self.runner.logger.info(
                f'{len(done)} of {len(videos)} videos are finished already'
            )
        for video in done[get_rank() :: get_world_size()]:
            result = self.store.read(video)
            self.evaluator.process(data_samples=[result], data_batch=None)
        return [video.id for video in videos if str(video.id) not in found[0]]

    def _label_shared(self, todo: List[int]) -> List[Dict[str, Any]]:
        """Label together with the other processes.

        Args:
            todo (list[int]): Ids of the videos, the same in each process.

        Returns:
            list[dict]: What each process did.
        """
        token = [uuid.uuid4().hex]
        broadcast_object_list(token)
        own: Dict[str, Any] = dict(rank=get_rank(), videos=0, frames=0)
        seconds = idle = 0.0
        # More than one round only if a network drive lost a claim.
        for number in itertools.count():
            claims = VideoClaims(self.store.folder, f'{token[0]}-{number}')
            start, mine = time.perf_counter(), []
            for key in self._in_turn(todo, claims):
                self.run_iter(self._progress(), [self._load(key)])
                mine.append(key)
                own['videos'] += 1
                own['frames'] += self.annotations.videos[key].length
            end = time.perf_counter()
            labelled = set(itertools.chain(*all_gather_object(mine)))
            seconds += end - start
            idle += time.perf_counter() - end
            todo = [key for key in todo if key not in labelled]
            if not todo:
                break
        own.update(seconds=seconds, idle_seconds=idle)
        return all_gather_object(own)

    def _in_turn(self, todo: List[int], claims: VideoClaims) -> Iterable[int]:
        """Order the videos: as in the file for a process alone."""
        if get_world_size() == 1:
            return todo
        costs = [
            self.annotations.videos[key].length
            + sum(
                box is not None
                for track in self.annotations.tracks[key]
                for box in track.boxes
            )
            for key in todo
        ]
        return claims.take(longest_first(todo, costs))

    def _load(self, key: int) -> LabelVideo:
        return self.dataset[self.dataset.video_ids.index(key)]

    def _progress(self) -> int:
        """Count what all processes have finished."""
        return len(self.store.finished())

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: List[LabelVideo]) -> None:
        """Label a batch of videos.

        Args:
            idx (int): How many videos are finished.
            data_batch (list[LabelVideo]): What to label.
        """
        self.runner.call_hook(
            'before_test_iter', batch_idx=idx, data_batch=data_batch
        )
        results = [self._finish(video) for video in data_batch]
        self.evaluator.process(data_samples=results, data_batch=None)
        self.runner.call_hook(
            'after_test_iter',
            batch_idx=max(self._progress() - 1, 0),
            data_batch=data_batch,
            outputs=results,
        )

    def _finish(self, video: LabelVideo) -> LabelResult:
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

    def _write(self, shares: List[Dict[str, Any]]) -> None:
        annotations = self.annotations
        final = PseudoMaskSet.empty_like(annotations)
        stages: Dict[str, PseudoMaskSet] = {}
        totals: Dict[str, Any] = {}
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
        totals['ranks'] = shares
        dump_json(totals, self.out_dir / 'label_stats.json')
        for share in shares if len(shares) > 1 else ():
            self.runner.logger.info(
                f'process {share["rank"]} labelled {share["videos"]} videos, '
                f'{share["frames"]} frames, in {share["seconds"]:.1f} s, and '
                f'waited {share["idle_seconds"]:.1f} s for the others'
            )
        self.runner.logger.info(
            f'{final.num_masks} masks for {annotations.num_boxes} boxes '
            f'written to {self.out_dir / FINAL}; '
            f'{1000 * totals["seconds_per_frame"]:.1f} ms per frame, '
            f'{1000 * totals["seconds_per_mask"]:.1f} ms per mask'
        )
