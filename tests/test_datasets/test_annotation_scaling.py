"""Annotations keep fitting frames that were shrunk."""

import numpy as np
import pytest

from pmvis_mm.datasets.annotation_scaling import scale_annotations
from pmvis_mm.structures import rle
from pmvis_mm.utils.errors import AnnotationError


def test_masks_of_all_forms_are_scaled():
    polygon = [[2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]]
    dot = np.zeros((8, 8), bool)
    dot[0, 0] = True
    track = dict(
        id=1,
        video_id=1,
        height=8,
        width=8,
        bboxes=[[2, 2, 4, 4], [0, 0, 1, 1], None],
        segmentations=[polygon, rle.encode(dot), None],
        areas=[16, 1, None],
        annotated_bboxes=[None, None, [2, 4, 6, 2]],  # of pseudo masks
    )
    data = dict(
        videos=[dict(id=1, height=8, width=8)],
        categories=[],
        annotations=[track, dict(track, video_id=2)],
    )
    scaled = scale_annotations(
        dict(data, videos=[*data['videos'], dict(id=2, height=8, width=8)]),
        {1: (4, 4)},
    )
    first, other = scaled['annotations']
    assert first['bboxes'] == [[1, 1, 2, 2], [0, 0, 0.5, 0.5], None]
    assert first['annotated_bboxes'] == [None, None, [1, 2, 3, 1]]
    assert rle.area(first['segmentations'][0]) == 4
    # Pixels are sampled at centres: the dot is lost, its box is not.
    assert first['segmentations'][1] is None
    assert first['areas'] == [4, 0.25, None]
    assert (first['height'], first['width']) == (4, 4)
    assert other['bboxes'] == track['bboxes']
    assert scaled['videos'][0] == dict(id=1, height=4, width=4)
    assert data['videos'][0]['height'] == 8  # the source stays
    track['segmentations'][0] = [[1.0]]
    with pytest.raises(AnnotationError, match='bad segm.*video 1, frame 0'):
        scale_annotations(data, {1: (4, 4)})
