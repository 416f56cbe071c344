"""browse_dataset.py over tiny versions of the shipped configs."""

import re

import cv2
import numpy as np
import pytest

from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.visualization.browse import browse, classes_of
from pmvis_mm.visualization.local_visualizer import VISLocalVisualizer
from pmvis_mm.visualization.overlay import track_color

GAP = 8


@pytest.fixture(scope='module')
def look(tool, tmp_path_factory):
    """Function that runs the tool; returns pictures and texts by name."""

    def run(config, *words):
        out = tmp_path_factory.mktemp('shown')
        code = tool(
            'analysis_tools/browse_dataset.py',
            config,
            *['--not-show', '--output-dir', out, *words],
        )
        assert code == 0
        pictures = {p.stem: cv2.imread(str(p)) for p in out.glob('*.png')}
        texts = {p.stem: p.read_text() for p in out.glob('*.txt')}
        assert set(pictures) <= set(texts)
        return pictures, texts

    return run


@pytest.fixture(scope='module')
def refuse(tool, tmp_path_factory):
    """Function that runs the tool with bad input; returns the message."""

    def run(config, *words):
        out = tmp_path_factory.mktemp('refused')
        return tool(
            'analysis_tools/browse_dataset.py',
            config,
            *['--not-show', '--output-dir', out, *words],
        )

    return run


def stages_of(texts):
    """Names of stages by number."""
    found = {}
    for stem, text in texts.items():
        title = text.splitlines()[0]
        number = int(stem.split('_')[1])
        found[number] = re.sub(r'^sample \d+, \d+ ', '', title)
    return dict(sorted(found.items()))


def cells(picture, count, height=240, width=320):
    """Cut out the frames: enlarged to 240 rows, at the bottom of a row."""
    assert picture.shape[1] == count * (width + GAP) + GAP
    bottom = picture.shape[0] - GAP
    return [
        picture[bottom - height : bottom, x : x + width].astype(int)
        for x in range(GAP, picture.shape[1], width + GAP)
    ]


def share(cell, color):
    """Share of the pixels of one colour."""
    return (np.abs(cell - np.array(color)).max(axis=2) <= 2).mean()


def last_line(text):
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize('name', ['box', 'box_tk'])
def test_box_config_shows_boxes_and_no_mask(look, tiny_configs, name):
    pictures, texts = look(tiny_configs[name], '--stages', 'all', '--index', 1)
    assert list(stages_of(texts).values()) == [
        'UniformRefFrameSample',
        'TransformBroadcaster/LoadVISFrame',
        'TransformBroadcaster/LoadPseudoMasks',
        'TransformBroadcaster/Resize',
        'TransformBroadcaster/RandomFlip',
        'TransformBroadcaster/FilterTrackInstances',
        'PackVISInputs',
    ]
    assert {last_line(text) for text in texts.values()} == {'masks: none'}
    # The first stage has no frame yet; the second one no box.
    rest = sorted(texts)[1:]
    assert sorted(pictures) == rest
    plain = cells(pictures[rest[0]], 2)
    for stem in rest[1:]:
        for before, cell in zip(plain, cells(pictures[stem], 2)):
            flipped = before[:, ::-1]
            changed = min(
                (np.abs(cell - view).max(axis=2) > 60).mean()
                for view in (before, flipped)
            )
            # Outlines and labels; masks would be half transparent areas.
            assert 0.005 < changed < 0.2


@pytest.mark.parametrize('name', ['pseudo', 'full'])
def test_masks_follow_their_objects(look, tiny_configs, tmp_path, name):
    """Squares and bars of known place, in frames of 32 x 48 pixels."""
    write_tiny_vis(tmp_path, size=(32, 48))
    words = ['--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}']
    words += ['train_dataloader.dataset.ann_file=instances.json']
    words += ['train_dataloader.dataset.data_prefix.img_path=JPEGImages']
    words += [f'train_dataloader.dataset.pseudo_ann_file={tmp_path}/m.json']
    if name == 'full':
        words.pop()
    else:
        from pmvis_mm.structures import PseudoMaskSet

        masks = PseudoMaskSet.load(tmp_path / 'instances.json')
        masks.dump(tmp_path / 'm.json')
    pictures, texts = look(
        tiny_configs[name], '--stages', 'all', '--num', 1, *words
    )
    names = stages_of(texts)
    by_name = {
        names[int(stem.split('_')[1])].split('/')[-1]: (stem, picture)
        for stem, picture in pictures.items()
    }
    stem, picture = by_name['LoadPseudoMasks']
    # 32 rows, enlarged 8 times; frames as the summary tells.
    sampled = next(iter(sorted(texts)))
    told = re.search(r'frame_id: list of 2: (.*)', texts[sampled]).group(1)
    for t, cell in zip(
        map(int, told.split(', ')), cells(picture, 2, 256, 384)
    ):
        # The square: (220, 40, 40) RGB under half of the colour of track 0.
        x, y = (4 + 2 * t + 4) * 8, 10 * 8
        expected = (np.array([40, 40, 220]) + track_color(0)) / 2
        assert np.abs(cell[y, x] - expected).max() <= 2
        # Background right below it: untouched.
        assert np.abs(cell[17 * 8, x] - [100 + t, 80, 60]).max() <= 2
    assert 'gt_masks' in last_line(texts[stem])
    stem, picture = by_name['PackVISInputs']
    assert 'gt_instances.masks' in last_line(texts[stem])
    for cell in cells(picture, 2, 258, 384):  # 43 x 64 by 6
        mixed = (np.array([40, 40, 220]) + track_color(0)) / 2
        assert share(cell, mixed) > 0.02


def test_flips_are_those_of_the_clip(look, tiny_configs):
    flips = set()
    for seed in range(6):
        pictures, texts = look(
            tiny_configs['full'],
            *['--stages', 'Resize', 'RandomFlip', '--index', 0],
            *['--seed', seed],
        )
        before, after = (pictures[stem] for stem in sorted(pictures))
        text = texts[sorted(texts)[1]]
        flipped = 'flip: True' in text
        flips.add(flipped)
        pairs = list(zip(cells(before, 2), cells(after, 2)))
        for old, new in pairs:
            old = old[:, ::-1] if flipped else old
            # All but labels, whose letters are not mirrored.
            assert (np.abs(old - new).max(axis=2) > 8).mean() < 0.15
    assert flips == {True, False}


def test_joint_config_has_stages_of_both(look, joint_configs):
    _, texts = look(joint_configs['joint'], '--stages', 'all', '--index', 0, 5)
    images = {k: t for k, t in texts.items() if k.startswith('000000')}
    videos = {k: t for k, t in texts.items() if k.startswith('000005')}
    assert set(images) | set(videos) == set(texts)
    assert 'RandomClipRotate' in stages_of(images).values()
    assert 'RandomClipRotate' not in stages_of(videos).values()
    # Images of COCO with masks, videos with boxes.
    last = max(images)
    assert 'gt_instances.masks' in last_line(images[last])
    assert {last_line(t) for t in videos.values()} == {'masks: none'}
    assert 'inputs: Tensor uint8 (4, 3,' in images[last]
    assert 'inputs: Tensor uint8 (3, 3,' in videos[max(videos)]


def test_coco_clips(look, joint_configs):
    pictures, texts = look(
        joint_configs['image'], '--stages', 'all', '--index', 0
    )
    stages = stages_of(texts)
    assert stages[1] == 'ClipFrameSample'
    assert {last_line(text) for text in texts.values()} == {'masks: none'}
    number = {name.split('/')[-1]: n for n, name in stages.items()}
    stem = f'000000_{number["LoadPseudoMasks"]:02d}'
    (cell,) = cells(pictures[stem], 1)  # 48 x 64 by 5
    # The triangle's box: x 20 to 36, y 4 to 20; its last row and column.
    color = track_color(2)
    assert (cell[20 * 5 - 1, 22 * 5 : 34 * 5] == color).all()
    assert (cell[6 * 5 : 18 * 5, 36 * 5 - 1] == color).all()


def test_vos_clips(look, config_root, tmp_path):
    write_tiny_vis(tmp_path / 'train', num_videos=3, size=(48, 64))
    config = tmp_path / 'leaf.py'
    config.write_text(
        f"""
_base_ = {str(config_root / 'deaot/deaott_1xb2-2k_own.py')!r}
clip_pipeline = _base_.clip_pipeline
clip_pipeline[0]['transforms'][0].update(scale=(4800, 48), ratio_range=(1, 1))
clip_pipeline[2].update(crop_size=33, min_pixels=20)
merge_pipeline = _base_.merge_pipeline
merge_pipeline[0]['prob'] = 1.0
train_dataloader = dict(
    dataset=dict(
        pipeline=merge_pipeline,
        dataset=dict(
            clip_length=3,
            pipeline=clip_pipeline,
            source=dict(dataset=dict(data_root={str(tmp_path)!r})),
        ),
    )
)
"""
    )
    pictures, texts = look(config, '--stages', 'all', '--index', 0)
    stages = stages_of(texts)
    names = list(stages.values())
    assert names[-3:] == ['MergeClips', 'JoinObjects', 'PackVOSInputs']
    assert names[-4].startswith('mixed in: ')
    assert len(pictures) == len(texts)
    first = pictures[f'000000_{min(stages):02d}']
    # 48 x 64 by 5; the square is red, (220, 40, 40) RGB, its number is 1.
    mixed = (np.array([40, 40, 220]) + track_color(1)) / 2
    other = (np.array([40, 40, 220]) + track_color(2)) / 2
    for cell in cells(first, 3):
        assert max(share(cell, mixed), share(cell, other)) > 0.01
    last = f'000000_{max(stages):02d}'
    assert 'inputs: Tensor uint8 (3, 3, 33, 33)' in texts[last]
    assert 'gt_label_maps: PixelData' in texts[last]


def test_validation_shows_whole_videos(look, tiny_configs):
    pictures, texts = look(
        tiny_configs['full'], '--phase', 'val', '--max-frames', 3
    )
    assert sorted(pictures) == ['000000', '000001']
    for picture in pictures.values():
        assert len(cells(picture, 3)) == 3
    title = texts['000000'].splitlines()[0]
    assert title == 'sample 0, as a model gets it, 3 of 4 frames'


def test_same_seed_same_pictures(look, tiny_configs):
    words = ['--index', 2, '--stages', 'last']
    first, _ = look(tiny_configs['full'], *words, '--seed', 3)
    # Whichever others are looked at, and at whichever stages.
    second, _ = look(tiny_configs['full'], '--index', 0, 2, '--seed', 3)
    third, _ = look(
        tiny_configs['full'],
        *['--index', 2, '--seed', 3, '--stages', 'PackVISInputs'],
    )
    np.testing.assert_array_equal(first['000002'], second['000002'])
    (picture,) = third.values()
    # Below the titles.
    np.testing.assert_array_equal(first['000002'][-240:], picture[-240:])


@pytest.mark.parametrize(
    'words, message',
    [
        (
            ['--stages', 'RandomFlap'],
            "error: no stage 'RandomFlap' in this pipeline. Fix: choose "
            '"last", "all" or some of UniformRefFrameSample,',
        ),
        (
            ['--index', '0', '4'],
            'error: there is no sample 4. Fix: the dataset has samples 0 to 3',
        ),
        (['--index', '-1'], 'error: there is no sample -1'),
        (
            ['--num', '0'],
            'error: 0 samples are nothing to look at. Fix: use 1 or more',
        ),
        (['--max-frames', '0'], 'error: max_frames=0. Fix: use 1 or more'),
        (
            ['--phase', 'test', '--cfg-options', 'test_dataloader=None'],
            'error: the config has no test_dataloader',
        ),
    ],
)
def test_bad_input(refuse, tiny_configs, words, message):
    assert message in refuse(tiny_configs['box'], *words)


def test_missing_config(refuse, tmp_path):
    message = refuse(tmp_path / 'no.py')
    assert message.startswith('error: config not found [file ')


def test_empty_dataset(refuse, tiny_configs, tmp_path):
    (tmp_path / 'nothing.json').write_text(
        '{"videos": [], "categories": [{"id": 1, "name": "a"}], '
        '"annotations": []}'
    )
    message = refuse(
        tiny_configs['full'],
        *['--phase', 'val', '--cfg-options'],
        f'val_dataloader.dataset.ann_file={tmp_path}/nothing.json',
    )
    assert message.startswith('error: ')
    assert 'empty' in message or 'no video' in message


def test_stages_that_were_not_applied_are_told(look, joint_configs):
    """The crop of COCO's clips is left out of half of the samples."""
    titles, pictures = set(), 0
    for seed in range(6):
        shown, texts = look(
            joint_configs['joint'],
            *['--stages', 'RandomClipInterpCrop', '--index', 0],
            *['--seed', seed],
        )
        pictures += len(shown)
        titles |= {text.splitlines()[0] for text in texts.values()}
    assert titles == {
        'sample 0, 8 RandomApply/RandomClipInterpCrop',
        'sample 0, none of the chosen stages was applied',
    }
    assert 0 < pictures < 6


def test_pictures_are_shown_in_a_window(tool, tiny_configs, monkeypatch):
    shown = []

    def show(self, drawn_img, win_name, wait_time):
        shown.append((drawn_img, win_name, wait_time))

    monkeypatch.setattr(VISLocalVisualizer, 'show', show)
    words = ['--num', 2, '--show-interval', 0.5]
    tool('analysis_tools/browse_dataset.py', tiny_configs['full'], *words)
    assert [name for _, name, _ in shown] == [
        f'sample {i}, as a model gets it' for i in range(2)
    ]
    assert {wait for *_, wait in shown} == {0.5}
    (first, second) = (image for image, *_ in shown)
    assert first.shape[2] == 3 and second.shape[2] == 3
    shown.clear()
    tool(
        'analysis_tools/browse_dataset.py',
        tiny_configs['full'],
        *words,
        '--not-show',
    )
    assert shown == []


@pytest.mark.usefixtures('default_scope')
def test_all_samples_by_default(tmp_path):
    write_tiny_vis(tmp_path, num_videos=3)
    dataset = DATASETS.build(
        dict(
            type='VISDataset',
            ann_file=str(tmp_path / 'instances.json'),
            data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
            pipeline=[
                dict(type='ClipFrameSample', num_frames=2),
                dict(
                    type='TransformBroadcaster',
                    transforms=[dict(type='LoadVISFrame')],
                ),
                dict(type='PackVISInputs'),
            ],
        )
    )
    pictures = list(browse(dataset, alpha=1.0))
    assert [p.sample for p in pictures] == [0, 1, 2]
    assert [p.stem for p in pictures] == ['000000', '000001', '000002']
    assert all(p.image.shape[1] == 2 * (384 + GAP) + GAP for p in pictures)


@pytest.mark.usefixtures('default_scope')
def test_parts_with_classes_of_their_own(tmp_path):
    write_tiny_vis(tmp_path)
    part = dict(
        type='VISDataset',
        ann_file=str(tmp_path / 'instances.json'),
        data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
        pipeline=[],
    )
    other = dict(part, metainfo=dict(classes=('square',)))
    joint = dict(type='ConcatDataset', datasets=[part, other])
    dataset = DATASETS.build(joint)
    assert classes_of(dataset, 1) == ('bar', 'square')
    assert classes_of(dataset, 2) == ('square',)
    assert classes_of(dataset.datasets[0], 0) == ('bar', 'square')
    assert classes_of([], 0) is None
