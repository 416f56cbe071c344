"""Typed errors that say where the trouble is and what helps."""

from typing import Any, Optional


class PMVISError(ValueError):
    """Base of all errors about a user's input.

    The message names what is wrong, then file, video, frame and instance as
    far as they are known, then the fix.

    Args:
        problem (str): What is wrong, with the offending value.
        file (object, optional): Path of the file at fault.
        video (object, optional): Id or name of the video.
        frame (object, optional): 0-based index or file name of the frame.
        instance (object, optional): Id of the annotation.
        fix (str, optional): What the user can do.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: Any = None,
        video: Any = None,
        frame: Any = None,
        instance: Any = None,
        fix: Optional[str] = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.video = video
        self.frame = frame
        self.instance = instance
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        where = [
            f'{key} {value}'
            for key, value in (
                ('file', self.file),
                ('video', self.video),
                ('frame', self.frame),
                ('instance', self.instance),
            )
            if value is not None
        ]
        text = self.problem
        if where:
            text += f' [{", ".join(where)}]'
        if self.fix:
            text += f'. Fix: {self.fix}'
        return text

    def __reduce__(self):
        # Exceptions with keyword-only arguments do not pickle by default;
        # data loader workers must be able to send them.
        return _rebuild, (type(self), self.problem, self.__dict__)


def _rebuild(cls: type, problem: str, state: dict) -> PMVISError:
    error = cls(problem)
    error.__dict__.update(state)
    error.args = (str(error),)
    return error


class AnnotationError(PMVISError):
    """A YouTube-VIS style annotation file is malformed."""


class FrameError(PMVISError):
    """A frame is missing, truncated or of an unexpected size."""


class MaskSetError(PMVISError):
    """A set of pseudo masks is malformed or does not fit its annotations."""


class ResultsError(PMVISError):
    """Predicted tracks are malformed or do not fit the annotations."""


class OutputError(PMVISError):
    """A result cannot be written."""


class ConfigError(PMVISError):
    """A config asks for something that cannot work."""


class TrainingError(PMVISError):
    """Training cannot go on."""


class CheckpointError(PMVISError):
    """A checkpoint is missing, broken or does not fit its model."""


class ReviewError(PMVISError):
    """An index for the label review or its decisions are wrong."""
