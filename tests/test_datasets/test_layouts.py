"""Trees of the public datasets, and what is said of broken ones."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pmvis_mm.datasets.layout_check import check_layout
from pmvis_mm.datasets.layouts import LAYOUTS, get_layout
from pmvis_mm.datasets.metainfo import BDD100K_MOTS_CLASSES, DATASET_CLASSES
from pmvis_mm.registry import DATASETS
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.tiny_downloads import SIZE, write_tiny_download
from pmvis_mm.testing.tiny_runs import run_tool
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError
from pmvis_mm.utils.fileio import dump_json, load_json

pytestmark = pytest.mark.usefixtures('default_scope')

OK = {'ok', 'note'}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """All datasets, not to be changed."""
    data = tmp_path_factory.mktemp('made') / 'data'
    for name in LAYOUTS:
        write_tiny_download(name, data)
    return data


@pytest.fixture
def copy(made, tmp_path):
    """Function that gives a copy of a dataset to break."""

    def make(name):
        folder = LAYOUTS[name].root.split('/')[1]
        return shutil.copytree(made / folder, tmp_path / 'data' / folder)

    return make


def by_path(name, root):
    return {f.part.path: f for f in check_layout(name, root)}


@pytest.mark.parametrize('name', LAYOUTS)
def test_tiny_downloads_have_the_layout(name, made):
    root = made / LAYOUTS[name].root.split('/')[1]
    for finding in check_layout(name, root):
        assert finding.state in OK, finding
        # Two videos are fewer than there are.
        assert ('official file has' in finding.problem) == (
            finding.state == 'note'
        )


@pytest.mark.parametrize('name', LAYOUTS)
def test_nothing_there_says_where_to_get_it(name, tmp_path):
    findings = check_layout(name, tmp_path / 'absent')
    for finding in findings:
        state = 'missing' if finding.part.required else 'not there'
        assert finding.state == state
        if finding.problem == 'not made yet':
            assert 'import_annotations.py' in finding.fix
        else:
            assert finding.part.source in finding.fix
            assert LAYOUTS[name].url in finding.fix
    assert any(f.failed for f in findings) == (name != 'static_images')


def test_the_default_root_is_that_of_the_configs(made, monkeypatch):
    monkeypatch.chdir(made.parent)
    for name in LAYOUTS:
        assert all(f.state in OK for f in check_layout(name))


def test_unknown_dataset():
    with pytest.raises(ConfigError, match='choose from .*bdd100k_mots'):
        get_layout('ytvis')


def test_layouts_are_complete():
    for name, layout in LAYOUTS.items():
        assert layout.version in (None, name)
        paths = [part.path for part in layout.parts]
        assert len(set(paths)) == len(paths)
        for part in layout.parts:
            assert part.images is None or part.images in paths
    with_classes = {lay.version for lay in LAYOUTS.values() if lay.version}
    assert with_classes == set(DATASET_CLASSES)


def test_extra_level(copy):
    root = copy('youtube_vis_2021')
    (root / 'train').rename(root / 'moved')
    (root / 'train').mkdir()
    (root / 'moved').rename(root / 'train/train')
    found = by_path('youtube_vis_2021', root)
    part = found['train/JPEGImages']
    assert part.state == 'missing'
    assert f'one level too deep: it is {root}/train/train/JPEG' in part.problem
    assert part.fix == (
        f'mv {root}/train/train/JPEGImages {root}/train/JPEGImages'
    )
    assert 'train/train/instances.json' in found['train/instances.json'].fix
    assert found['valid/JPEGImages'].state == 'ok'


def test_everything_in_one_more_folder(copy, tmp_path):
    root = copy('youtube_vis_2019')
    outer = tmp_path / 'outer'
    outer.mkdir()
    root.rename(outer / 'YouTubeVIS')
    for finding in check_layout('youtube_vis_2019', outer):
        assert finding.state == 'missing'
        assert f'or name {outer}/YouTubeVIS instead' in finding.fix


def test_root_is_one_level_too_deep(copy):
    root = copy('youtube_vis_2019')
    finding = by_path('youtube_vis_2019', root / 'train')['train.json']
    assert finding.problem == f'{root}/train is one level too deep'
    assert finding.fix == f'name {root} instead'


def test_jpegimages_level_is_missing(copy):
    root = copy('youtube_vis_2019')
    for video in (root / 'train/JPEGImages').iterdir():
        video.rename(root / 'train' / video.name)
    (root / 'train/JPEGImages').rmdir()
    finding = by_path('youtube_vis_2019', root)['train/JPEGImages']
    assert finding.problem == (
        f'one level too high: the videos lie in {root}/train'
    )
    assert f'mv {root}/JPEGImages {root}/train/' in finding.fix


def test_the_fix_for_a_missing_level_works(copy):
    root = copy('youtube_vis_2019')
    for video in (root / 'train/JPEGImages').iterdir():
        video.rename(root / 'train' / video.name)
    (root / 'train/JPEGImages').rmdir()
    finding = by_path('youtube_vis_2019', root)['train/JPEGImages']
    subprocess.run(finding.fix, shell=True, check=True)
    assert by_path('youtube_vis_2019', root)['train/JPEGImages'].state == 'ok'


def test_a_level_too_many_in_ovis(copy):
    root = copy('ovis')
    (root / 'train').rename(root / 'JPEGImages')
    (root / 'train').mkdir()
    (root / 'JPEGImages').rename(root / 'train/JPEGImages')
    finding = by_path('ovis', root)['train']
    assert finding.state == 'wrong'
    assert 'one level too deep: the images are in JPEGIm' in finding.problem


def test_images_without_folders_of_videos(copy):
    root = copy('ovis')
    for video in list((root / 'train').iterdir()):
        for image in video.iterdir():
            image.rename(root / 'train' / f'{video.name}_{image.name}')
        video.rmdir()
    assert (
        'not in one folder per video' in by_path('ovis', root)['train'].problem
    )


@pytest.mark.parametrize('where', ['.', '..', 'train'])
def test_archive_not_unpacked(copy, where):
    root = copy('ovis')
    shutil.rmtree(root / 'train')
    if where == 'train':
        (root / 'train').mkdir()
    (root / where / 'train.zip').write_bytes(b'PK')
    finding = by_path('ovis', root)['train']
    assert finding.failed
    assert finding.problem == 'the archive is not unpacked'
    archive = (root / where / 'train.zip').resolve()
    target = root / 'train' if where == 'train' else root
    assert finding.fix.startswith(f'unzip -q {archive} -d {target}, ')


def test_empty_folder_and_a_file_in_its_place(copy):
    root = copy('ovis')
    shutil.rmtree(root / 'valid')
    (root / 'valid').mkdir()
    assert by_path('ovis', root)['valid'].problem == 'the folder is empty'
    (root / 'valid').rmdir()
    (root / 'valid').write_text('')
    assert 'a file, not a folder' in by_path('ovis', root)['valid'].problem


def test_case_of_letters(copy):
    root = copy('youtube_vis_2019')
    (root / 'train/JPEGImages').rename(root / 'train/jpegimages')
    if (root / 'train/JPEGImages').exists():
        pytest.skip('this file system does not tell cases apart')
    finding = by_path('youtube_vis_2019', root)['train/JPEGImages']
    assert finding.problem == f'it is called {root}/train/jpegimages'


def test_wrong_year_by_classes(copy):
    root = copy('youtube_vis_2021')
    categories = [
        dict(id=i, name=name)
        for i, name in enumerate(DATASET_CLASSES['youtube_vis_2019'], 1)
    ]
    path = root / 'train/instances.json'
    dump_json(dict(load_json(path), categories=categories), path)
    finding = by_path('youtube_vis_2021', root)['train/instances.json']
    assert finding.state == 'wrong'
    assert finding.problem == (
        'its 40 classes are those of YouTube-VIS 2019, not of YouTube-VIS 2021'
    )


def test_wrong_year_by_number(copy):
    """The classes of 2021 and 2022 are the same."""
    root = copy('youtube_vis_2022')
    path = root / 'valid/instances.json'
    content = load_json(path)
    content['videos'] = content['videos'][:1] * 421
    dump_json(content, path)
    finding = by_path('youtube_vis_2022', root)['valid/instances.json']
    assert finding.state == 'note'
    assert finding.problem == (
        '421 videos, that of YouTube-VIS 2021, valid/instances.json too; '
        'the official file has 492'
    )


def test_wrong_split_has_no_annotations(copy):
    root = copy('youtube_vis_2019')
    shutil.copy(root / 'valid.json', root / 'train.json')
    finding = by_path('youtube_vis_2019', root)['train.json']
    assert finding.state == 'wrong'
    assert 'no annotations' in finding.problem


def test_json_of_other_frames(copy):
    root = copy('ovis')
    path = root / 'annotations_train.json'
    content = load_json(path)
    content['videos'][1]['file_names'][-1] = 'absent/img_0000001.jpg'
    dump_json(content, path)
    finding = by_path('ovis', root)['annotations_train.json']
    assert finding.state == 'wrong'
    assert 'absent/img_0000001.jpg is not in train/' in finding.problem


def test_json_under_another_name(copy):
    root = copy('youtube_vis_2021')
    (root / 'train/instances.json').rename(root / 'train.json')
    finding = by_path('youtube_vis_2021', root)['train/instances.json']
    assert finding.problem == 'there is train.json instead'
    assert f'mv {root}/train.json {root}/train/instances.json' in finding.fix


@pytest.mark.parametrize('text', ['[]', '{}', '{"videos": []}'])
def test_json_of_something_else(copy, text):
    root = copy('ovis')
    (root / 'annotations_train.json').write_text(text)
    finding = by_path('ovis', root)['annotations_train.json']
    assert finding.state == 'wrong'
    assert '"videos" is missing or empty' in finding.problem


@pytest.mark.parametrize('entry', [7, dict(file_names=3), dict(), None])
def test_odd_entries(copy, entry):
    root = copy('ovis')
    path = root / 'annotations_train.json'
    dump_json(dict(load_json(path), videos=[entry]), path)
    finding = by_path('ovis', root)['annotations_train.json']
    assert finding.state == 'wrong'
    assert 'entry number 0' in finding.problem or 'frame' in finding.problem


def test_truncated_json(copy):
    root = copy('ovis')
    path = root / 'annotations_train.json'
    path.write_text(path.read_text()[:100])
    finding = by_path('ovis', root)['annotations_train.json']
    assert finding.state == 'wrong' and 'not a json' in finding.problem


def test_bdd100k_before_the_import(copy):
    root = copy('bdd100k_mots')
    shutil.rmtree(root / 'annotations')
    finding = by_path('bdd100k_mots', root)['annotations/mots_val.json']
    assert (finding.state, finding.problem) == ('missing', 'not made yet')
    assert f'{root}/labels/seg_track_20/bitmasks/val' in finding.fix
    # RLE will do in place of bitmasks.
    shutil.rmtree(root / 'labels/seg_track_20/bitmasks')
    part = by_path('bdd100k_mots', root)['labels/seg_track_20/bitmasks/val']
    assert part.problem == 'labels/seg_track_20/rles/val is there instead'
    assert not part.failed


def test_tiny_masks_fill_their_boxes(made):
    """Numbers of the official files: runs down the columns, areas."""
    content = load_json(made / 'youtube_vis_2019/train.json')
    square = content['annotations'][0]
    assert square['bboxes'][1] == [6, 6, 8, 8]
    assert square['areas'] == [64] * 4
    mask = square['segmentations'][1]
    assert mask['size'] == list(SIZE)
    assert mask['counts'][:3] == [6 * 48 + 6, 8, 40]
    assert sum(mask['counts']) == 48 * 64
    assert sum(mask['counts'][1::2]) == 64


def test_tiny_bdd100k_is_imported(made, tmp_path):
    """By the command that the check names; from bitmasks and from RLE."""
    content = load_json(made / 'bdd100k/annotations/mots_val.json')
    assert [c['name'] for c in content['categories']] == list(
        BDD100K_MOTS_CLASSES
    )
    pedestrian, car = content['annotations']
    assert (pedestrian['category_id'], car['category_id']) == (1, 3)
    assert pedestrian['bboxes'] == [[10 + t, 12, 6, 14] for t in range(4)]
    assert car['bboxes'] == [[30 + t, 20, 16, 10] for t in range(4)]
    assert car['segmentations'][1] == box_rle((31, 20, 47, 30), *SIZE)
    # The command, with RLE in place of bitmasks.
    (part,) = (
        part
        for part in get_layout('bdd100k_mots').parts
        if part.path == 'annotations/mots_val.json'
    )
    run, python, tool, *words = part.get(made / 'bdd100k').split()
    assert (run, python) == ('run', 'python')
    out = tmp_path / 'rle.json'
    words[words.index('--out') + 1] = str(out)
    words = [w.replace('bitmasks', 'rles') for w in words]
    assert run_tool(Path(__file__).parents[2] / tool, *words) == 0
    for entry, other in zip(
        content['annotations'], load_json(out)['annotations']
    ):
        del entry['source_id'], other['source_id']  # text in the json
        assert entry == other


# ----------------------------------------------- hints of the datasets
def build(kind, root, version, ann_file, images):
    return DATASETS.build(
        dict(
            type=kind,
            data_root=str(root),
            ann_file=ann_file,
            data_prefix=dict(img_path=images),
            version=version,
        )
    )


def test_dataset_without_json_points_to_the_check(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist') as info:
        build('VISDataset', tmp_path, 'ovis', 'annotations_train.json', 'x')
    assert f'check_download.py ovis {tmp_path}' in str(info.value)
    with pytest.raises(AnnotationError, match='does not exist') as info:
        build('COCOClipDataset', tmp_path, 'coco', 'a.json', 'x')
    assert f'check_download.py coco {tmp_path}' in str(info.value)


def test_dataset_without_frames_points_to_the_check(copy):
    root = copy('ovis')
    shutil.rmtree(root / 'train')
    with pytest.raises(FrameError, match='does not exist') as info:
        build('VISDataset', root, 'ovis', 'annotations_train.json', 'train/')
    assert f'check_download.py ovis {root}' in str(info.value)
    assert info.value.args == (str(info.value),)


def test_own_data_and_other_errors_have_no_hint(copy, tmp_path):
    with pytest.raises(AnnotationError) as info:
        build('VISDataset', tmp_path, None, 'a.json', 'x')
    assert 'check_download' not in str(info.value)
    root = copy('ovis')
    (root / 'annotations_train.json').write_text('{}')
    with pytest.raises(AnnotationError) as info:
        build('VISDataset', root, 'ovis', 'annotations_train.json', 'train/')
    assert 'check_download' not in str(info.value)


def test_sources_point_to_the_check(copy):
    root = copy('youtube_vos')
    (root / 'train/meta.json').unlink()
    with pytest.raises(AnnotationError) as info:
        DATASETS.build(
            dict(type='YouTubeVOSSource', data_root=f'{root}/train/')
        )
    assert str(info.value).endswith(f'check_download.py youtube_vos {root}')
    root = copy('davis')
    shutil.rmtree(root / 'Annotations')
    with pytest.raises(FrameError) as info:
        DATASETS.build(dict(type='DAVISSource', data_root=str(root)))
    assert str(info.value).endswith(f'check_download.py davis {root}')
