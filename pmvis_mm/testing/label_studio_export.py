"""Exports of Label Studio for tests."""

from typing import Any, Dict, Sequence

LENGTH = 12
# What newer exports say of the video: 200 x 100 pixels.
SIZED = dict(original_width=200, original_height=100)


def video_keyframe(frame: int, **values: Any) -> Dict[str, Any]:
    """Make a keyframe.

    Args:
        frame (int): From 1.
        **values: To replace those of the box: x 10, y 20, width 30, height
            40 percent, not turned, enabled.

    Returns:
        dict: An entry of ``sequence``.
    """
    box = dict(x=10.0, y=20.0, width=30.0, height=40.0, rotation=0)
    time = frame / 25 if isinstance(frame, int) else 0
    return dict(dict(box, frame=frame, enabled=True, time=time), **values)


def video_region(
    sequence: Sequence[Any],
    name: str = 'r1',
    labels: Any = ('dog',),
    length: Any = LENGTH,
    **more: Any,
) -> Dict[str, Any]:
    """Make a region of a video.

    Args:
        sequence (Sequence): Keyframes.
        name (str): Its id.
        labels (Any): None leaves them out.
        length (Any): Frames of the video.
        **more: Further keys, such as ``SIZED``.

    Returns:
        dict: An entry of ``result``.
    """
    value = dict(sequence=sequence, framesCount=length, duration=0.48)
    if labels is not None:
        value['labels'] = list(labels)
    return dict(
        id=name,
        type='videorectangle',
        value=value,
        from_name='box',
        to_name='video',
        origin='manual',
        **more,
    )


def video_annotation(results: Sequence[Any], **more: Any) -> Dict[str, Any]:
    """Make an annotation that was submitted.

    Args:
        results (Sequence): Regions.
        **more: Further keys, or other values.

    Returns:
        dict: An entry of ``annotations``.
    """
    head = dict(id=1, completed_by=1, was_cancelled=False, ground_truth=False)
    return dict(dict(head, result=list(results)), **more)


def video_task(
    annotations: Sequence[Any],
    video: str = '/data/upload/1/12ab34cd-clip.mp4',
    number: int = 7,
) -> Dict[str, Any]:
    """Make a task.

    Args:
        annotations (Sequence): What annotators submitted.
        video (str): Where Label Studio has the video.
        number (int): Its id.

    Returns:
        dict: An entry of the export.
    """
    data = dict(video=video)
    return dict(id=number, data=data, annotations=list(annotations))
