import math

import pytest

from pmvis_mm.formats.readers import (
    ImportedTrack,
    ImportReport,
)
from pmvis_mm.labeling.filtering import filter_missing_data
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    parse_annotations,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.imported_videos import (
    IMPORTED_BOX,
    assembled,
    assembled_track,
    imported_track,
    imported_video,
)
from pmvis_mm.utils.errors import AnnotationError


def test_no_trace_of_masks_unless_asked_for():
    masks = {
        0: box_rle((3, 3, 5, 6), 24, 32),
        1: box_rle((9, 9, 9, 9), 24, 32),
    }
    track = imported_track(
        boxes={0: IMPORTED_BOX, 1: IMPORTED_BOX}, masks=masks
    )
    report = ImportReport()
    assert assembled_track(track, report=report) == assembled_track(
        imported_track(boxes={0: IMPORTED_BOX, 1: IMPORTED_BOX})
    )
    assert dict(report.rows())['masks left out (boxes only)'] == 2

    report = ImportReport()
    entry = assembled_track(track, with_masks=True, report=report)
    assert entry['segmentations'] == [masks[0], None, None, None]
    assert entry['areas'] == [6, None, None, None]
    assert dict(report.rows())['masks'] == 1
    assert report.dropped == {'masks without a pixel': 1}


def test_masks_of_any_writing():
    plain = box_rle((3, 3, 5, 6), 24, 32)
    again = dict(size=[24, 32], counts=plain['counts'].encode())
    long = dict(size=(24, 32), counts=[75, 3, 21, 3, 666])
    empty = dict(size=[24, 32], counts=[24 * 32])
    track = imported_track(
        boxes={t: IMPORTED_BOX for t in range(4)},
        masks={3: again, 0: plain, 2: empty, 1: long},
    )
    entry = assembled_track(track, with_masks=True)
    assert entry['segmentations'] == [plain, plain, None, plain]
    assert entry['areas'] == [6, 6, None, 6]


def test_masks_without_box_get_the_tight_one():
    masks = {1: box_rle((3, 4, 5, 9), 24, 32)}
    entry = assembled_track(ImportedTrack(1, 'cat', {}, masks))
    assert entry['bboxes'] == [None, [3, 4, 2, 5], None, None]
    with pytest.raises(AnnotationError, match='out of view.*frame 1'):
        assembled_track(ImportedTrack(1, 'cat', {1: None}, masks))
    with pytest.raises(AnnotationError, match='bad mask.*size.*frame 0'):
        wrong = {0: box_rle((0, 0, 2, 2), 32, 24)}
        assembled_track(imported_track(masks=wrong), with_masks=True)


def test_interpolation_on_request():
    boxes = {0: (0, 0, 6, 6), 3: (3, 6, 12, 9)}
    entry = assembled_track(imported_track(boxes=boxes))
    assert entry['bboxes'] == [[0, 0, 6, 6], None, None, [3, 6, 9, 3]]
    assert 'interpolated' not in entry
    report = ImportReport()
    entry = assembled_track(
        imported_track(boxes=boxes), interpolate=True, report=report
    )
    assert entry['bboxes'][1:3] == [[1, 2, 7, 5], [2, 4, 8, 4]]
    assert entry['interpolated'] == [0, 1, 1, 0]
    assert (report.boxes, report.interpolated) == (4, 2)
    entry = assembled_track(
        imported_track(boxes=boxes), interpolate=True, max_gap=1
    )
    assert entry['bboxes'][1:3] == [None, None]
    # The instance is gone in between; an end behind the end is harmless.
    gone = {**boxes, 1: None, 4: None}
    entry = assembled_track(imported_track(boxes=gone), interpolate=True)
    assert entry['bboxes'][1:3] == [None, None]


def test_marks_of_the_source_stay():
    track = imported_track(
        boxes={0: IMPORTED_BOX, 1: IMPORTED_BOX}, interpolated={1, 3}
    )
    report = ImportReport()
    assert assembled_track(track, report=report)['interpolated'] == [
        0,
        1,
        0,
        0,
    ]
    assert report.interpolated == 1


def test_interpolation_through_the_edge():
    """Boxes are clipped after they were filled in."""
    boxes = {0: (20, 0, 30, 10), 3: (50, 0, 60, 10)}
    report = ImportReport()
    entry = assembled_track(
        imported_track(boxes=boxes),
        interpolate=True,
        clip_boxes=True,
        report=report,
    )
    assert entry['bboxes'] == [[20, 0, 10, 10], [30, 0, 2, 10], None, None]
    assert entry['interpolated'] == [0, 1, 0, 0]
    assert report.clipped == 1
    assert report.dropped == {'boxes outside the frame': 2}


def test_marks_survive_labelling():
    boxes = {0: (0, 0, 6, 6), 2: (0, 0, 6, 6)}
    content = assembled(
        imported_video(tracks=[imported_track(boxes=boxes)]), interpolate=True
    )
    annotations = parse_annotations(content)
    (track,) = annotations
    assert track.interpolated == [0, 1, 0, 0]
    # As the labelling writes its masks, and as they are read again.
    masks = PseudoMaskSet.empty_like(annotations)
    found = MaskTrack.empty_like(track)
    for frame in range(3):
        found.set(frame, box_rle(IMPORTED_BOX, 24, 32), 'test')
    masks.tracks[1].append(found.copy())
    entry = masks.to_json()['annotations'][0]
    assert entry['interpolated'] == [0, 1, 0, 0]
    (again,) = PseudoMaskSet.from_json(masks.to_json(), 'test')
    assert again.interpolated == [0, 1, 0, 0]
    filtered, _ = filter_missing_data(content, masks)
    assert filtered['annotations'][0]['interpolated'] == [0, 1, 0, 0]


BOX_CASES = {
    'nan': ((0, 0, math.nan, 5), 'no finite number'),
    'inf': ((-math.inf, 0, 4, 5), 'no finite number'),
    'inverted': ((9, 0, 4, 5), r'\[9.0, 0.0, 4.0, 5.0\].*no positive width'),
    'flat': ((1, 5, 4, 5), 'no positive width and height'),
    'outside': ((33, 0, 40, 5), 'lies outside the 32x24 frame.*--clip-boxes'),
    'sticks out': ((30, 0, 35, 5), 'sticks out of the 32x24 frame'),
}


@pytest.mark.parametrize('case', BOX_CASES)
def test_bad_boxes(case):
    box, message = BOX_CASES[case]
    with pytest.raises(AnnotationError, match=message) as caught:
        assembled_track(imported_track(boxes={0: IMPORTED_BOX, 2: box}))
    error = caught.value
    where = (error.file, error.video, error.frame, error.instance)
    assert where == ('boxes.txt', 'clip', 2, 7)


def test_clipping():
    boxes = {0: (-9, -9, 5, 6), 1: (40, 3, 50, 9), 2: (31, 22, 33.5, 25)}
    masks = {1: box_rle(IMPORTED_BOX, 24, 32)}
    report = ImportReport()
    track = imported_track(boxes=boxes, masks=masks)
    entry = assembled_track(
        track, clip_boxes=True, with_masks=True, report=report
    )
    assert entry['bboxes'] == [[0, 0, 5, 6], None, [31, 22, 1, 2], None]
    assert entry['segmentations'] == [None] * 4
    assert report.clipped == 2
    assert report.dropped == {
        'boxes outside the frame': 1,
        'masks whose box is outside the frame': 1,
    }
    # Up to two pixels are rounding.
    entry = assembled_track(imported_track(boxes={0: (-2, 0, 34, 24.5)}))
    assert entry['bboxes'][0] == [0, 0, 32, 24]


def test_tracks_without_boxes_go():
    report = ImportReport()
    tracks = [imported_track(boxes={1: None}), imported_track(8)]
    content = assembled(imported_video(tracks=tracks), report=report)
    assert [a['source_id'] for a in content['annotations']] == [8]
    assert content['annotations'][0]['id'] == 1
    assert report.dropped == {'tracks without a box': 1}


def test_bad_scores():
    with pytest.raises(AnnotationError, match='score nan.*frame 0'):
        assembled_track(imported_track(scores={0: math.nan}))
