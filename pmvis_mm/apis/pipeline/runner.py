"""Runs the stages of a pipeline config, each once."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from mmengine.config import Config
from mmengine.logging import print_log

from ...utils.errors import PMVISError
from ...utils.fileio import atomic_write, dump_json, load_json
from . import local_stages
from .checks import Problems, check_pipeline
from .config import (
    Stage,
    find_references,
    resolve_references,
    resolve_stages,
    stage_of,
)
from .data import PipelineData
from .keys import (
    CONFIG_KEYS,
    ContentHashes,
    changes,
    config_parts,
    digest,
    is_file,
)
from .launcher import Launcher
from .stage_config import stage_config

_RUN, _DONE = 'would run', 'up to date'
_LEFT_OUT, _NOT_NEEDED = 'left out', 'not needed'


@dataclass(frozen=True)
class PlannedStage:
    """What a run would do with a stage, and why.

    Attributes:
        name (str): Of the stage.
        type (str): Of the stage.
        state (str): 'would run', 'up to date', 'left out' or 'not needed'.
        why (str): The reason; may be empty.
    """

    name: str
    type: str
    state: str
    why: str = ''


class Pipeline:
    """Runs the stages of a pipeline config, each once.

    Labelling, training and testing are the tools that a person would call,
    in processes of their own; the command line is printed, and the config
    that it names is complete and lies in ``WORK_DIR/configs``. A stage is
    not run again while the content of what it depends on is unchanged: its
    resolved config, the annotation files, masks, weights, and names and
    sizes of the frames. Dates do not count, nor the number of processes.

    A config has ``stages``, a list of dicts with a unique ``name``, a
    ``type`` ('label', 'train', 'test', 'filter', 'overlay' or 'report') and
    what that type needs. Strings ``@NAME`` in them stand for the main
    output of an earlier stage, ``@NAME:FILE`` for a file beside it, and
    ``$NAME`` for a variable of the config; see
    :func:`pmvis_mm.apis.pipeline.config.resolve_stages`. ``folder`` puts a
    stage into a sub-folder.

    Files and folders that are not given are those that the config names
    under the same names; 'none' stands for no file.

    Args:
        config (Config | str | Path): Pipeline config.
        work_dir (str | Path): Folder of all results.
        ann_file (str | Path, optional): Boxes (YouTube-VIS style json).
        img_prefix (str | Path, optional): Folder of the frames.
        truth_file (str | Path, optional): Real masks of the same videos;
            used to report quality and for 'filter', never for labelling.
        val_ann_file (str | Path, optional): Videos to test on; without
            masks, predictions are written for a server. Without a file,
            'test' stages use ``truth_file``, or are left out.
        val_img_prefix (str | Path, optional): Frames of those videos.
        num_processes (int): Processes of each stage that labels, trains or
            tests. Defaults to 1.
        clip_boxes (bool): Clip boxes that stick out of the frame by more
            than rounding instead of refusing them. Defaults to False.
        launcher (Launcher, optional): Starts the processes; by default
            torchrun on this machine, with ``num_processes``.

    Raises:
        ConfigError: If the stages are wrong.
    """

    def __init__(
        self,
        config: Any,
        work_dir: Any,
        ann_file: Any = None,
        img_prefix: Any = None,
        truth_file: Any = None,
        val_ann_file: Any = None,
        val_img_prefix: Any = None,
        num_processes: int = 1,
        clip_boxes: bool = False,
        launcher: Optional[Launcher] = None,
    ) -> None:
        if not isinstance(config, Config):
            config = Config.fromfile(str(config))
        self.stages, self.not_needed = resolve_stages(config)
        given = dict(
            ann_file=ann_file,
            img_prefix=img_prefix,
            truth_file=truth_file,
            val_ann_file=val_ann_file,
            val_img_prefix=val_img_prefix,
        )
        self.data = PipelineData.choose(config, given, clip_boxes)
        self.work_dir = Path(work_dir).resolve()
        self.launcher = launcher or Launcher(num_processes=num_processes)
        self.check_classes: bool = config.get('check_classes', True)
        self.hashes = ContentHashes(self.work_dir / 'hashes.json')
        self.outputs: Dict[str, str] = {}
        self.times: List[Dict[str, Any]] = []
        self._runners: Mapping[str, Callable[[Stage, Path], Path]] = dict(
            label=self._label,
            train=self._train,
            test=self._test,
            filter=self._filter,
            overlay=self._overlay,
            report=self._report,
        )

    # -------------------------------------------------------- before a run
    def check(self) -> Problems:
        """Find what would fail after hours, before anything runs.

        Returns:
            Problems: All that was found; empty if all is well.
        """
        return check_pipeline(
            self.stages,
            self.data,
            self.work_dir,
            self.launcher,
            self.check_classes,
        )

    def plan(self) -> List[PlannedStage]:
        """Tell what a run would do, without doing it.

        Returns:
            list[PlannedStage]: In the order of the config; what the recipe
            does not need comes last.
        """
        outputs: Dict[str, str] = {}
        pending: List[str] = []
        rows = []
        for stage in self.stages:
            try:
                row = self._plan(stage, outputs, pending)
            except (PMVISError, OSError):
                # The checks say what is wrong.
                row = PlannedStage(
                    stage['name'], stage['type'], _RUN, 'its inputs are wrong'
                )
            if row.state == _RUN:
                pending.append(row.name)
            rows.append(row)
        return rows + [
            PlannedStage(stage['name'], stage['type'], _NOT_NEEDED)
            for stage in self.not_needed
        ]

    def _plan(
        self, stage: Stage, outputs: Dict[str, str], pending: List[str]
    ) -> PlannedStage:
        name, kind = stage['name'], stage['type']
        if self._left_out(stage):
            return PlannedStage(name, kind, _LEFT_OUT, 'no videos to test on')
        refs = dict.fromkeys(stage_of(ref) for ref in find_references(stage))
        after = [ref for ref in refs if ref in pending]
        if after:
            return PlannedStage(name, kind, _RUN, f'after {", ".join(after)}')
        done = self._done(stage)
        parts = self._parts(resolve_references(stage, outputs))
        why = self._why(stage, done, parts)
        if why:
            return PlannedStage(name, kind, _RUN, why)
        outputs[name] = done['output']
        return PlannedStage(name, kind, _DONE)

    # ----------------------------------------------------------------- run
    def run(self) -> Dict[str, str]:
        """Check everything, then run what has to be run.

        Returns:
            dict: Main output file of every stage, by name.

        Raises:
            PMVISError: If a check fails; one error as it is, several as a
                :class:`PipelineError` that lists them.
            RuntimeError: If the process of a stage fails; finished stages
                are kept and not done again.
        """
        self.check().raise_all()
        self.outputs, self.times = {}, []
        for number, raw in enumerate(self.stages, 1):
            name, folder = raw['name'], self._folder(raw)
            if self._left_out(raw):
                print_log(f'stage {name} left out: no videos to test on')
                continue
            stage = resolve_references(raw, self.outputs)
            done, parts = self._done(raw), self._parts(stage)
            why = self._why(raw, done, parts)
            if why:
                print_log(f'== stage {number}/{len(self.stages)}: {name}')
                print_log(f'   {why}')
                done = self._run_stage(stage, folder, parts)
            else:
                print_log(f'== stage {name} is up to date')
            self.outputs[name] = done['output']
            self.times.append(dict(name=name, seconds=done['seconds']))
        return self.outputs

    def _run_stage(
        self, stage: Stage, folder: Path, parts: Dict[str, str]
    ) -> Dict[str, Any]:
        if stage['type'] == 'train':
            _set_aside_other_training(folder, digest(parts))
        start = time.perf_counter()
        output = self._runners[stage['type']](stage, folder)
        seconds = time.perf_counter() - start
        stamp = dict(
            key=digest(parts),
            parts=parts,
            output=os.path.relpath(output, folder),
            seconds=seconds,
        )
        dump_json(stamp, folder / 'stage.json')
        print_log(f'== stage {stage["name"]} took {seconds:.1f} s')
        return dict(stamp, output=str(output))

    def _folder(self, stage: Stage) -> Path:
        return self.work_dir / (stage.get('folder') or '') / stage['name']

    def _left_out(self, stage: Stage) -> bool:
        return stage['type'] == 'test' and self.data.val_ann_file is None

    def _done(self, stage: Stage) -> Dict[str, Any]:
        """Read what an earlier run left; empty if there was none."""
        folder = self._folder(stage)
        stamp = folder / 'stage.json'
        done: Dict[str, Any] = load_json(stamp) if stamp.is_file() else {}
        if done:
            done['output'] = str(folder / done['output'])
        return done

    def _why(
        self, stage: Stage, done: Mapping[str, Any], parts: Dict[str, str]
    ) -> str:
        """Say why a stage has to run; empty if it has not."""
        if not done:
            started = _last_checkpoint(self._folder(stage)) is not None
            return 'not finished' if started else 'never run'
        if not Path(done['output']).exists():
            return 'its output is gone'
        changed = changes(done.get('parts', {}), parts)
        return f'changed: {", ".join(changed)}' if changed else ''

    def _parts(self, stage: Stage) -> Dict[str, str]:
        """Hash everything that a stage depends on, by name."""
        data, hashes = self.data, self.hashes
        if 'config' in stage:
            val = stage['type'] == 'test'
            ann_file = str(data.val_ann_file) if val else data.ann_file
            prefix = str(data.val_img_prefix) if val else data.img_prefix
            cfg = stage_config(stage, data)
            folders = [data.img_prefix, str(data.val_img_prefix)]
            keys = CONFIG_KEYS[stage['type']]
            parts = config_parts(cfg, keys, hashes, folders)
            return {**parts, 'frames': hashes.frames(ann_file, prefix)}
        plain = {k: v for k, v in stage.items() if k != 'folder'}
        parts = config_parts(plain, list(plain), hashes)
        for name in ('ann_file', 'truth_file', 'val_ann_file'):
            path = getattr(data, name)
            if path is not None:
                parts[name] = hashes.file(path)
        return {**parts, **self._beside(stage)}

    def _beside(self, stage: Stage) -> Dict[str, str]:
        """Hash files that a local stage finds beside its inputs."""
        found = {}
        for key, name in (
            ('metrics', local_stages.RESULTS),
            ('filtered', 'stats.json'),
        ):
            path = stage.get(key) and Path(stage[key]).with_name(name)
            if path and is_file(path):
                found[f'{key}: {name}'] = self.hashes.file(path)
        return found

    # -------------------------------------------------------------- stages
    def _write_config(self, stage: Stage, cfg: Config) -> Path:
        """Write the complete config that the stage runs with."""
        folder = self.work_dir / 'configs' / (stage.get('folder') or '')
        path = folder / f'{stage["name"]}.py'
        with atomic_write(path) as file:
            file.write(cfg.pretty_text)
        return path

    def _label(self, stage: Stage, folder: Path) -> Path:
        config = self._write_config(stage, stage_config(stage, self.data))
        self.launcher.call('test.py', [config, '--work-dir', folder])
        return folder / 'masks.json'

    def _train(self, stage: Stage, folder: Path) -> Path:
        config = self._write_config(stage, stage_config(stage, self.data))
        words = [config, '--work-dir', folder]
        last = _last_checkpoint(folder)
        if last is not None:  # a killed training goes on
            words += ['--resume', last]
        self.launcher.call('train.py', words)
        return _last_checkpoint(folder) or folder

    def _test(self, stage: Stage, folder: Path) -> Path:
        cfg = stage_config(stage, self.data)
        prefix = str(folder / 'predictions')
        cfg.merge_from_dict({'test_evaluator.outfile_prefix': prefix})
        config = self._write_config(stage, cfg)
        words = [config, stage['checkpoint'], '--work-dir', folder]
        self.launcher.call('test.py', words)
        metrics: Dict[str, Any] = {}
        if not cfg.test_evaluator.get('format_only'):
            logs = sorted(folder.glob('*/*.json'))
            metrics = json.loads(logs[-1].read_text().splitlines()[-1])
        dump_json(metrics, folder / 'metrics.json')
        return folder / 'metrics.json'

    def _filter(self, stage: Stage, folder: Path) -> Path:
        return local_stages.filter_annotations(stage, folder, self.data)

    def _overlay(self, stage: Stage, folder: Path) -> Path:
        return local_stages.paint_overlay(stage, folder, self.data)

    def _report(self, stage: Stage, folder: Path) -> Path:
        return local_stages.make_report(stage, folder, self.data, self.times)


def _last_checkpoint(folder: Path) -> Optional[Path]:
    """Find the newest checkpoint, also in a folder that was moved."""
    last = folder / 'last_checkpoint'
    if not last.is_file():
        return None
    path = folder / Path(last.read_text().strip()).name
    return path if path.exists() else None


def _set_aside_other_training(folder: Path, key: str) -> None:
    """Rename the folder of a training that had another config or inputs.

    Left in place it would be resumed, as if it had learned from the new ones.
    """
    started, finished = folder / 'started.json', folder / 'stage.json'
    for stamp in (started, finished):
        if stamp.is_file() and load_json(stamp).get('key') != key:
            number = 1
            while folder.with_name(f'{folder.name}.old{number}').exists():
                number += 1
            target = folder.with_name(f'{folder.name}.old{number}')
            folder.rename(target)
            print_log(f'config or inputs changed: old training is in {target}')
            break
    dump_json(dict(key=key), started)
