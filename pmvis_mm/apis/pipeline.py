"""From boxes to masks, a trained model and a report, stage by stage."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config
from mmengine.logging import print_log

from ..engine.runner.shards import fingerprint
from ..labeling.filtering import filter_missing_data, filter_ria
from ..structures import PseudoMaskSet, VideoAnnotations
from ..structures.frame_reader import FrameReader
from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import dump_json, ensure_writable, load_json
from ..visualization.overlay_tracks import (
    overlay_masks,
    overlay_videos,
    read_results,
)
from ..visualization.report import write_report
from .pipeline_config import (
    Stage,
    find_config,
    find_references,
    package_root,
    resolve_references,
    substitute_variables,
)

RESULTS = 'predictions.results.json'


class Pipeline:
    """Runs the stages of a pipeline config, each once.

    Labelling, training and testing are the tools that a person would call,
    in processes of their own; the command line is printed. A stage whose
    config and input files are unchanged is not run again.

    A config has ``stages``, a list of dicts with a unique ``name``, a
    ``type`` ('label', 'train', 'test', 'filter', 'overlay' or 'report') and
    what that type needs. Strings ``@NAME`` in them stand for the main
    output of an earlier stage, ``@NAME:FILE`` for a file beside it, and
    ``$NAME`` for a variable of the config.

    Args:
        config (Config | str | Path): Pipeline config.
        work_dir (str | Path): Folder of all results.
        ann_file (str | Path): Boxes (YouTube-VIS style json).
        img_prefix (str | Path): Folder of the frames.
        truth_file (str | Path, optional): Real masks of the same videos;
            used to report quality and for 'filter', never for labelling or
            training.
        val_ann_file (str | Path, optional): Videos with real masks to test
            on; without them, 'test' stages use ``truth_file`` and say so,
            or are left out.
        val_img_prefix (str | Path, optional): Frames of those videos.
        num_processes (int): Processes per labelling stage. Defaults to 1.
        clip_boxes (bool): Clip boxes that stick out of the frame by more
            than rounding instead of refusing them. Defaults to False.

    Raises:
        ConfigError: If the config or an option is wrong.
        AnnotationError: If an annotation file is malformed.
        FrameError: If a frame file is missing.
        OutputError: If ``work_dir`` cannot be written.
    """

    def __init__(
        self,
        config: Any,
        work_dir: Any,
        ann_file: Any,
        img_prefix: Any,
        truth_file: Any = None,
        val_ann_file: Any = None,
        val_img_prefix: Any = None,
        num_processes: int = 1,
        clip_boxes: bool = False,
    ) -> None:
        if not isinstance(config, Config):
            config = Config.fromfile(config)
        self.stages: List[Stage] = substitute_variables(
            config.to_dict(), config
        )
        self.work_dir = Path(work_dir).resolve()
        self.ann_file = str(_absolute(ann_file))
        self.img_prefix = str(_absolute(img_prefix))
        self.truth_file = _absolute(truth_file)
        self.val_ann_file = _absolute(val_ann_file or truth_file)
        self.val_img_prefix = str(_absolute(val_img_prefix or img_prefix))
        self.num_processes = num_processes
        self.clip_boxes = clip_boxes
        self.outputs: Dict[str, str] = {}
        self.times: List[Dict[str, Any]] = []
        self._runners: Dict[str, Callable[[Stage, Path], Path]] = dict(
            label=self._label,
            train=self._train,
            test=self._test,
            filter=self._filter,
            overlay=self._overlay,
            report=self._report,
        )
        self._check()

    # -------------------------------------------------------------- checks
    def _check(self) -> None:
        """Find what would fail after hours, before anything runs."""
        names = set()
        for stage in self.stages:
            if stage.get('type') not in self._runners:
                raise ConfigError(
                    f'unknown stage type {stage.get("type")!r}',
                    fix=f'choose from {sorted(self._runners)}',
                )
            if stage.get('name') in names or not stage.get('name'):
                raise ConfigError(
                    f'stage name {stage.get("name")!r} is missing or taken',
                    fix='give every stage a name of its own',
                )
            for value in find_references(stage):
                if value[1:].partition(':')[0] not in names:
                    raise ConfigError(
                        f'stage {stage["name"]!r} uses {value!r}, which no '
                        'earlier stage makes',
                        fix='order the stages so that inputs come first',
                    )
            names.add(stage['name'])
            if 'config' in stage and not _config_path(stage).is_file():
                raise ConfigError(
                    f'config of stage {stage["name"]!r} not found',
                    file=_config_path(stage),
                    fix='paths of configs are relative to configs/',
                )
        ensure_writable(self.work_dir)
        self._check_data(self.ann_file, self.img_prefix, False)
        if self.val_ann_file is not None:
            self._check_data(self.val_ann_file, self.val_img_prefix, True)

    def _check_data(
        self, ann_file: str, img_prefix: str, with_masks: bool
    ) -> None:
        annotations = self._read(ann_file, with_masks)
        if not annotations.num_boxes:
            raise AnnotationError(
                'no box in this file', file=ann_file, fix='add annotations'
            )
        for video in annotations.videos.values():
            FrameReader(video, img_prefix).check_exists()

    def _read(self, path: str, with_masks: bool = False) -> VideoAnnotations:
        return VideoAnnotations.from_file(path, with_masks, self.clip_boxes)

    # ----------------------------------------------------------------- run
    def run(self) -> Dict[str, str]:
        """Run what has to be run.

        Returns:
            dict: Main output file of every stage, by name.

        Raises:
            RuntimeError: If the process of a stage fails; finished stages
                are kept and not done again.
        """
        for number, stage in enumerate(self.stages, 1):
            stage = resolve_references(stage, self.outputs)
            name, folder = stage['name'], self.work_dir / stage['name']
            if stage['type'] == 'test' and self.val_ann_file is None:
                print_log(f'stage {name} left out: no real masks to test on')
                continue
            key = fingerprint(stage, self._inputs(stage))
            stamp = folder / 'stage.json'
            done = load_json(stamp) if stamp.is_file() else {}
            fresh = done.get('key') == key and Path(done['output']).exists()
            if not fresh:
                print_log(f'== stage {number}/{len(self.stages)}: {name}')
                if stage['type'] == 'train':
                    _set_aside_other_training(folder, key)
                start = time.perf_counter()
                output = self._runners[stage['type']](stage, folder)
                seconds = time.perf_counter() - start
                done = dict(key=key, output=str(output), seconds=seconds)
                dump_json(done, stamp)
                print_log(f'== stage {name} took {seconds:.1f} s')
            else:
                print_log(f'== stage {name} is up to date')
            self.outputs[name] = done['output']
            self.times.append(dict(name=name, seconds=done['seconds']))
        return self.outputs

    def _inputs(self, stage: Stage) -> List[Any]:
        config = str(_config_path(stage)) if 'config' in stage else None
        return [
            config,
            [self.ann_file, self.img_prefix, self.truth_file],
            [self.val_ann_file, self.val_img_prefix, self.clip_boxes],
        ]

    def _call(
        self, tool: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> None:
        """Run a tool in its own process, as a person would."""
        tools = package_root() / 'tools'
        command: List[str] = [sys.executable]
        if tool == 'test.py' and self.num_processes > 1:
            command += ['-m', 'torch.distributed.run', '--standalone']
            command += [f'--nproc_per_node={self.num_processes}']
            arguments = [*arguments, '--launcher', 'pytorch']
        command += [str(tools / tool), *map(str, arguments)]
        if options:
            command.append('--cfg-options')
            command += [f'{key}={value}' for key, value in options.items()]
        print_log(' '.join(command))
        status = subprocess.run(command, env=_environment()).returncode
        if status:
            raise RuntimeError(
                f'{tool} failed with exit status {status}; what it printed '
                'is above. Finished stages are kept: mend the cause and run '
                'the same command again'
            )

    # -------------------------------------------------------------- stages
    def _label(self, stage: Stage, folder: Path) -> Path:
        dataset = 'test_dataloader.dataset'
        options = {
            f'{dataset}.ann_file': self.ann_file,
            f'{dataset}.img_prefix': self.img_prefix,
            f'{dataset}.clip_boxes': self.clip_boxes,
            **_priors(stage.get('priors', {})),
            **stage.get('options', {}),
        }
        if 'model.config' in options:
            options['model.config'] = find_config(options['model.config'])
        if self.truth_file is not None:
            options['test_evaluator.ann_file'] = self.truth_file
        arguments = [_config_path(stage), '--work-dir', folder]
        self._call('test.py', arguments, options)
        return folder / 'masks.json'

    def _train(self, stage: Stage, folder: Path) -> Path:
        dataset = 'train_dataloader.dataset'
        options = {
            f'{dataset}.ann_file': self.ann_file,
            f'{dataset}.data_prefix.img_path': self.img_prefix,
            f'{dataset}.clip_boxes': self.clip_boxes,
            # A stage of its own evaluates.
            'val_dataloader': None,
            'val_cfg': None,
            'val_evaluator': None,
            **stage.get('options', {}),
        }
        if 'pseudo' in stage:
            options[f'{dataset}.pseudo_ann_file'] = stage['pseudo']
        arguments = [_config_path(stage), '--work-dir', folder]
        # A killed training goes on where it was.
        self._call('train.py', [*arguments, '--resume'], options)
        return Path((folder / 'last_checkpoint').read_text().strip())

    def _test(self, stage: Stage, folder: Path) -> Path:
        dataset = 'test_dataloader.dataset'
        options = {
            f'{dataset}.ann_file': self.val_ann_file,
            f'{dataset}.data_prefix.img_path': self.val_img_prefix,
            f'{dataset}.clip_boxes': self.clip_boxes,
            'test_evaluator.ann_file': self.val_ann_file,
            'test_evaluator.outfile_prefix': folder / 'predictions',
            **stage.get('options', {}),
        }
        arguments = [_config_path(stage), stage['checkpoint']]
        self._call('test.py', [*arguments, '--work-dir', folder], options)
        logs = sorted(folder.glob('*/*.json'))
        metrics = json.loads(logs[-1].read_text().splitlines()[-1])
        dump_json(metrics, folder / 'metrics.json')
        return folder / 'metrics.json'

    def _filter(self, stage: Stage, folder: Path) -> Path:
        source = self.truth_file or self.ann_file
        pseudo = PseudoMaskSet.load(stage['pseudo'])
        data = load_json(source)
        data, stats = filter_missing_data(data, pseudo, name=source)
        report = dict(missing_data=vars(stats))
        if self.truth_file is not None and stage.get('ria') is not None:
            data, stats = filter_ria(data, pseudo, stage['ria'], name=source)
            report['ria'] = vars(stats)
        dump_json(data, folder / 'annotations.json')
        dump_json(report, folder / 'stats.json')
        print_log(f'filtered {source}: {report}')
        return folder / 'annotations.json'

    def _overlay(self, stage: Stage, folder: Path) -> Path:
        number = stage.get('num_videos', 3)
        if 'masks' in stage:
            masks = PseudoMaskSet.load(stage['masks'])
            overlay_masks(masks, self.img_prefix, folder, num_videos=number)
        elif 'metrics' in stage:  # the predictions lie beside them
            results = Path(stage['metrics']).with_name(RESULTS)
            videos = self._read(str(self.val_ann_file))
            tracks = read_results(results, videos)
            overlay_videos(
                videos.videos,
                tracks,
                videos.categories,
                self.val_img_prefix,
                folder,
                num_videos=number,
            )
        return folder

    def _report(self, stage: Stage, folder: Path) -> Path:
        sources = {
            name: PseudoMaskSet.load(path)
            for name, path in stage.get('sources', {}).items()
        }
        truth = None
        if self.truth_file is not None:
            truth = self._read(self.truth_file, with_masks=True)
        write_report(
            folder / 'report.html',
            final=PseudoMaskSet.load(stage['final']),
            sources=sources,
            annotations=self._read(self.ann_file),
            img_prefix=self.img_prefix,
            truth=truth,
            stage_times=self.times,
            metrics=_optional_json(stage.get('metrics')),
            filter_stats=_optional_json(
                stage.get('filtered'), name='stats.json'
            ),
        )
        return folder / 'report.html'


def _absolute(path: Any) -> Optional[str]:
    return None if path is None else str(Path(path).resolve())


def _config_path(stage: Stage) -> Path:
    return find_config(stage['config'])


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


def _priors(priors: Mapping[str, str]) -> Dict[str, str]:
    return {
        f'test_dataloader.dataset.priors.{name}': path
        for name, path in priors.items()
    }


def _optional_json(path: Optional[str], name: Optional[str] = None) -> Any:
    if path is None:
        return {}
    return load_json(Path(path).with_name(name) if name else path)


def _environment() -> Dict[str, str]:
    """Let child processes find this package without an installation."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, os.environ.get('PYTHONPATH', '')]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(p for p in paths if p),
    }
