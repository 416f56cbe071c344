"""From a video of any kind to the tracks of its instances, in one call."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer
from mmengine.model import BaseModel
from mmengine.registry import INFERENCERS
from rich.progress import track

from ..formats import ResultWriter
from ..models.vis.clip_walk import ClipWalk
from ..models.vis.inference import build_frame_pipeline, init_vis_model
from ..structures.frame_sources import IMAGE_SUFFIXES
from ..structures.frame_stream import FrameStream, open_stream
from ..structures.track_journal import SUFFIX
from ..utils.checkpoint import read_checkpoint
from ..utils.errors import ConfigError
from .inference_options import (
    InferenceOptions,
    build_walk,
    model_digest,
    read_options,
    walk_fingerprint,
)
from .result_outputs import Format, PictureSink, build_writers, unique_names
from .video_run import VideoPrediction, VideoRun, open_journal

_SCOPES = ('pmvis_mm', 'mmdet')


@INFERENCERS.register_module()
class VISInferencer(BaseInferencer):
    """Finds and follows the instances of videos.

    Works with every video instance segmentation model of this package and
    of MMDetection. Frames stream: memory does not grow with the length of
    the video. With an output folder, all predictions go into a journal
    there (``NAME.tracks.sqlite``): a run that was killed goes on where it
    was, and asking a finished one for another format does not run the model
    again.

    Args:
        model (str | Path | Config, optional): Path of a config, name of a
            model in a metafile of this package or of MMDetection, or a
            config. Defaults to None: the config in the checkpoint.
        weights (str | Path, optional): Checkpoint, file or address.
            Defaults to that of the metafile, if any.
        device (str, optional): Defaults to 'cuda' if there is one, else
            'cpu'.
        scope (str): Where names of models are looked up first. Defaults to
            'pmvis_mm'.
        show_progress (bool): Whether to draw a progress bar. Defaults to
            True.
        cfg_options (dict, optional): Overrides of the config, dotted keys
            to values. Defaults to None.

    Raises:
        ConfigError: If there is no such config or model.
        CheckpointError: If the checkpoint is missing, broken or of another
            model.
    """

    def __init__(
        self,
        model: Union[str, Path, Config, None] = None,
        weights: Union[str, Path, None] = None,
        device: Optional[str] = None,
        scope: str = 'pmvis_mm',
        show_progress: bool = True,
        cfg_options: Optional[Dict[str, Any]] = None,
    ) -> None:
        if model is None and weights is None:
            raise ConfigError(
                'neither a model nor weights are given',
                fix='give a config, a name, or a checkpoint with a config',
            )
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self._cfg_options = cfg_options
        self._digest: Optional[str] = None
        super().__init__(
            os.fspath(model) if isinstance(model, os.PathLike) else model,
            None if weights is None else os.fspath(weights),
            device,
            scope,
            show_progress,
        )

    # ------------------------------------------------------------ building
    def _load_model_from_metafile(
        self, model: str
    ) -> Tuple[Config, Optional[str]]:
        """Find a model by name, first in our scope, then in mmdet's."""
        for scope in dict.fromkeys((self.scope, *_SCOPES)):
            try:
                root = self._get_repo_or_mim_dir(scope)
                entries = list(self._get_models_from_metafile(root))
            except (FileNotFoundError, ImportError, KeyError):
                continue
            for entry in entries:
                names = [entry['Name'], *_as_list(entry.get('Alias'))]
                if model.lower() in [name.lower() for name in names]:
                    weights = _as_list(entry.get('Weights'))
                    cfg = Config.fromfile(os.path.join(root, entry['Config']))
                    return cfg, weights[0] if weights else None
        raise ConfigError(
            f'{model!r} is neither a config nor a known model',
            fix='check the path, or choose a name from configs/*/metafile.yml',
        )

    def _init_model(
        self, cfg: Any, weights: Optional[str], device: str = 'cpu'
    ) -> BaseModel:
        """Build the model as every tool of this package does."""
        if not cfg:
            assert weights is not None
            text = read_checkpoint(weights)['meta'].get('cfg')
            if not isinstance(text, str):
                raise ConfigError(
                    'this checkpoint holds no config',
                    file=weights,
                    fix='give the config as "model"',
                )
            cfg = Config.fromstring(text, '.py')
        if isinstance(cfg, ConfigDict):
            cfg = Config(cfg)
        return init_vis_model(cfg, weights, device, self._cfg_options)

    def _init_pipeline(self, cfg: Any) -> Any:
        """Build the test pipeline for frames in memory."""
        return build_frame_pipeline(self.model.cfg)

    def _init_collate(self, cfg: Any) -> Any:
        """Clips are given to the model one by one."""
        return pseudo_collate

    def _init_visualizer(self, cfg: Any) -> None:
        """Pictures are painted by result writers, frame by frame."""
        return None

    @property
    def classes(self) -> Tuple[str, ...]:
        """tuple[str]: Name of every label, as far as known."""
        return tuple(self.model.dataset_meta.get('classes') or ())

    # ------------------------------------------------------------- calling
    def __call__(  # type: ignore[override]
        self,
        inputs: Any,
        out_dir: Union[str, Path] = '',
        formats: Union[Format, Sequence[Format]] = ('mp4', 'json'),
        pred_score_thr: float = 0.3,
        show: bool = False,
        return_vis: bool = False,
        **options: Any,
    ) -> Dict[str, List[Any]]:
        """Predict videos and write what was found.

        Args:
            inputs (object): A video, see :func:`open_stream`; or a list of
                videos. A list of frames (arrays) or of paths of images is
                one video.
            out_dir (str | Path): Folder of the results. Defaults to '':
                nothing is written.
            formats (str | dict | Sequence): Of the results: 'mp4' (painted
                video), 'json' (YouTube-VIS), 'mots', 'coco_video', 'csv',
                'png', see ``pmvis_mm.formats``; or a dict with ``type`` and
                arguments. Defaults to mp4 and json.
            pred_score_thr (float): Instances below are not painted. Tracks
                below are left out of 'mots' and 'png', which have no scores
                and one owner for each pixel; other formats keep all.
                Defaults to 0.3.
            show (bool): Whether to show the painted frames in a window;
                'q' ends the video. Defaults to False.
            return_vis (bool): Whether to return the painted frames; they
                are all in memory. Defaults to False.
            options: Fields of :class:`InferenceOptions`.

        Returns:
            dict: ``predictions``: a :class:`VideoPrediction` for each
            video; ``visualization``: for each a list of painted frames, if
            asked for; ``outputs``: all files written.

        Raises:
            ConfigError: If an option is unknown or out of range.
            FrameError: If a video cannot be read; results of those before
                it are complete.
            OutputError: If results cannot be written, or the journal there
                is about something else.
        """
        chosen = read_options(options)
        videos = self._inputs_to_list(inputs)
        names = unique_names([_name_of(video) for video in videos])
        predictions = []
        for number, (video, name) in enumerate(zip(videos, names)):
            sinks: List[ResultWriter] = []
            if out_dir:
                known = self.model.dataset_meta.get('category_ids')
                defaults = dict(
                    score_thr=pred_score_thr,
                    video_id=number + 1,
                    **({} if known is None else dict(category_ids=known)),
                )
                sinks += build_writers(formats, out_dir, name, defaults, video)
            if show or return_vis:
                sinks.append(
                    PictureSink(show, return_vis, score_thr=pred_score_thr)
                )
            predictions.append(
                self._predict(video, name, out_dir, sinks, chosen)
            )
        visualization = self.visualize(videos, predictions, show)
        return self.postprocess(predictions, visualization)

    def iterate(
        self,
        inputs: Any,
        out_dir: Union[str, Path] = '',
        with_images: bool = True,
        **options: Any,
    ) -> VideoRun:
        """Predict one video, frame by frame, as frames are asked for.

        Args:
            inputs (object): A video, see :func:`open_stream`.
            out_dir (str | Path): Folder of the journal. Defaults to '': a
                temporary one.
            with_images (bool): Whether the images come along. Defaults to
                True.
            options: Fields of :class:`InferenceOptions`.

        Returns:
            VideoRun: Iterator of
            :class:`~pmvis_mm.apis.video_run.FrameTracks`; then its
            ``tracks`` are the final ones. The model has the state of one
            video: do not iterate over two in turns.

        Raises:
            ConfigError: If an option is unknown or out of range.
            FrameError: If the video cannot be read.
            OutputError: If the journal cannot be written, or is about
                something else.
        """
        chosen = read_options(options)
        return self._open(
            inputs, _name_of(inputs), out_dir, with_images, chosen
        )

    # ----------------------------------------------------------- one video
    def _open(
        self,
        video: Any,
        name: str,
        out_dir: Union[str, Path],
        with_images: bool,
        options: InferenceOptions,
    ) -> VideoRun:
        walk = build_walk(self.model, self.pipeline, options)
        stream = open_stream(video, name, options.on_error)
        try:
            journal = open_journal(
                Path(out_dir) / f'{name}{SUFFIX}' if out_dir else None,
                self._fingerprint(walk, stream, options),
                options.resume and stream.identity is not None,
            )
        except BaseException:
            stream.close()
            raise
        return VideoRun(walk, stream, journal, with_images, options.max_frames)

    def _fingerprint(
        self, walk: ClipWalk, stream: FrameStream, options: InferenceOptions
    ) -> Dict[str, Any]:
        """Tell what results depend on."""
        if self._digest is None:
            self._digest = model_digest(self.model)
        return dict(
            model=self._digest,
            video=stream.identity,
            **walk_fingerprint(walk, options),
        )

    def _predict(
        self,
        video: Any,
        name: str,
        out_dir: Union[str, Path],
        writers: Sequence[ResultWriter],
        options: InferenceOptions,
    ) -> VideoPrediction:
        """Run over a video and write its results."""
        with_images = any(writer.needs_images for writer in writers)
        run = self._open(video, name, out_dir, with_images, options)
        try:
            for writer in writers:
                writer.start(run.info, self.classes)
            for item in self._with_progress(run):
                for writer in writers:
                    image = item.image if writer.needs_images else None
                    writer.add_frame(item.frame, item.instances, image)
                    if isinstance(writer, PictureSink) and writer.closed:
                        run.stop()
            outputs = [
                writer.finish(run.tracks, run.length) for writer in writers
            ]
        except BaseException:
            for writer in writers:
                writer.abort()
            run.journal.close()
            raise
        finally:
            run.close()
        sinks = [w for w in writers if isinstance(w, PictureSink)]
        prediction = VideoPrediction(run.info, run.length, run.journal)
        prediction.outputs = outputs[: len(writers) - len(sinks)]
        prediction.visualization = sinks[0].pictures if sinks else []
        run.journal.suspend()  # many videos: no open file for each
        return prediction

    def _with_progress(self, run: VideoRun) -> Any:
        if not self.show_progress:
            return run
        return track(run, run.info.name, total=run.info.length)

    # ---------------------------------------------------------- conventions
    def _inputs_to_list(self, inputs: Any) -> List[Any]:
        """Tell a list of videos from one video."""
        if not isinstance(inputs, (list, tuple)):
            return [inputs]
        frames = [
            (isinstance(item, np.ndarray) and item.ndim <= 3)
            or (
                isinstance(item, (str, os.PathLike))
                and Path(item).suffix.lower() in IMAGE_SUFFIXES
            )
            for item in inputs
        ]
        return [inputs] if all(frames) else list(inputs)

    def visualize(  # type: ignore[override]
        self,
        inputs: List[Any],
        preds: List[VideoPrediction],
        show: bool = False,
        **kwargs: Any,
    ) -> List[List[np.ndarray]]:
        """Collect the frames that were painted while the videos ran.

        Args:
            inputs (list): The videos.
            preds (list[VideoPrediction]): Of them.
            show (bool): They have been shown by now. Defaults to False.
            kwargs: Not used.

        Returns:
            list[list[np.ndarray]]: By video; empty if not asked for.
        """
        return [pred.visualization for pred in preds if pred.visualization]

    def postprocess(  # type: ignore[override]
        self,
        preds: List[VideoPrediction],
        visualization: List[List[np.ndarray]],
        return_datasample: bool = False,
        **kwargs: Any,
    ) -> Dict[str, List[Any]]:
        """Put together what is returned; see :meth:`__call__`."""
        outputs = [path for pred in preds for path in pred.outputs]
        return dict(
            predictions=preds, visualization=visualization, outputs=outputs
        )


def _as_list(value: Any) -> List[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _name_of(video: Any) -> str:
    """Name a video by its file or folder."""
    if isinstance(video, (str, os.PathLike)):
        path = os.fspath(video)
        if os.path.isdir(path):
            return os.path.basename(os.path.abspath(path)) or 'video'
        return Path(path).stem or 'video'
    return f'camera{video}' if isinstance(video, int) else 'video'
