"""Frames of video files are packed under their names."""

import io
import json
import tarfile

import numpy as np
from PIL import Image

from pmvis_mm.datasets.frame_packing import PackingOptions, pack_frames
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.testing.videos import moving_frames, write_mp4


def test_frames_of_video_files_keep_their_names(tmp_path):
    root = tmp_path / 'videos'
    root.mkdir()
    write_mp4(root / 'a.mp4', moving_frames(6))
    names = [f'a.mp4#{t}' for t in (4, 1, 5)]
    ann_file = tmp_path / 'ann.json'
    video = dict(id=1, width=96, height=64, length=3, file_names=names)
    ann_file.write_text(
        json.dumps(
            dict(
                videos=[video],
                categories=[dict(id=1, name='person')],
                annotations=[],
            )
        )
    )
    out = str(tmp_path / 'out.tar')
    options = PackingOptions(image_format='png')
    report = pack_frames(str(ann_file), str(root), out, options=options)
    assert report.num_encoded == 3 and report.ann_file is None
    read = VideoAnnotations.from_file(str(ann_file)).videos[1]
    args = dict(backend='tar', path=out, root=str(root))
    packed = FrameReader(read, str(root), args)
    for t, frame in enumerate(FrameReader(read, str(root))):
        np.testing.assert_array_equal(packed[t], frame)
    with tarfile.open(out) as tar:
        assert tar.getnames() == names
        content = tar.extractfile(names[0]).read()
    assert Image.open(io.BytesIO(content)).format == 'PNG'
