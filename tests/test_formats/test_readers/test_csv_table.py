import pytest
from PIL import Image

from pmvis_mm.formats.readers import CSVReader, FrameFolders, assemble
from pmvis_mm.structures import StreamInfo
from pmvis_mm.utils.errors import AnnotationError, ConfigError

HEAD = 'video,frame,id,class,x1,y1,x2,y2\n'


@pytest.fixture
def read(tmp_path):
    """Function that writes a table and reads it."""

    def run(text, name='walk.csv', **kwargs):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(data)
        return list(CSVReader(path, **kwargs).videos())

    return run


def test_by_hand(read):
    a, b = read(
        HEAD
        + 'a,0,7,car,1.5,2,11.5,10\n'
        + 'b,3,7,,1,2,3,4\n'
        + 'a,5,p1,dog,1,2,3,4\n'
        + 'a,2,7,car,2,2,11.5,10\n'
        + 'a,3,7,car,,,,\n'
    )
    assert (a.name, a.width, a.height, a.length) == ('a', None, None, None)
    first, second = a.tracks
    assert (first.id, first.category) == (7, 'car')
    assert first.boxes == {
        0: (1.5, 2, 11.5, 10),
        2: (2, 2, 11.5, 10),  # frame 1 is a gap
        3: None,
    }
    assert (second.id, second.category) == ('p1', 'dog')
    assert (b.name, b.tracks[0].category) == ('b', None)


def test_result_is_a_dataset(tmp_path):
    path = tmp_path / 'walk.csv'
    path.write_text('frame,id,x1,y1,x2,y2\n0,1,1,2,3,4\n2,1,3,2,5,4\n')
    content = assemble(
        CSVReader(path),
        size=(40, 30),
        invent_names=True,
        interpolate=True,
        default_class='person',
    )
    (annotation,) = content['annotations']
    assert annotation['bboxes'] == [[1, 2, 2, 2], [2, 2, 2, 2], [3, 2, 2, 2]]
    assert content['videos'][0]['file_names'][0] == 'walk/00000.jpg'


@pytest.mark.parametrize(
    ('head', 'box'),
    [
        ('x0,y0,x1,y1', (1, 2, 4, 6)),
        ('X1, Y1 ,X2,Y2', (1, 2, 4, 6)),
        ('xmin,ymin,xmax,ymax', (1, 2, 4, 6)),
        ('left,top,right,bottom', (1, 2, 4, 6)),
        ('x,y,w,h', (1, 2, 5, 8)),
        ('x,y,width,height', (1, 2, 5, 8)),
        ('left,top,width,height', (1, 2, 5, 8)),
        ('bb_left,bb_top,bb_width,bb_height', (1, 2, 5, 8)),
    ],
)
def test_names_of_boxes(read, head, box):
    (video,) = read(f'Frame,Object ID,{head},Score\n0,3,1,2,4,6,0.5\n')
    (track,) = video.tracks
    assert (track.id, track.boxes, track.scores) == (3, {0: box}, {0: 0.5})


@pytest.mark.parametrize('delimiter', [',', ';', '\t', '|'])
def test_delimiters(read, delimiter):
    text = HEAD + 'a,0,7,"big, red; ""car""",1,2,3,4\n'
    # Quoted texts may hold any of them.
    text = text.replace(',', delimiter).replace(f'big{delimiter}', 'big,')
    (video,) = read(text)
    assert video.tracks[0].category == 'big, red; "car"'


def test_own_names_of_columns(read):
    text = 'seqname;t0;player;L;T;W;H\nfinal;4;10;1;2;3;4\n'
    columns = dict(
        video='seqname', frame='t0', id='player', x='L', y='T', w='W', h='H'
    )
    (video,) = read(text, columns=columns)
    assert video.name == 'final'
    assert video.tracks[0].boxes == {4: (1, 2, 4, 6)}
    assert video.tracks[0].category is None


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (dict(player='id'), "its keys are.*'video', 'frame'"),
        (dict(x1='a', w='b'), 'two corners, or one with width'),
        ('id', 'give names, such as'),
    ],
)
def test_bad_option(tmp_path, columns, message):
    with pytest.raises(ConfigError, match=message):
        CSVReader(tmp_path / 'a.csv', columns=columns)


def test_unknown_own_column(read):
    with pytest.raises(AnnotationError, match="no column is called 'player'"):
        read(HEAD, columns=dict(id='player'))


def test_frames_of_data_frames_and_blank_lines(read):
    (video,) = read('frame,id,x1,y1,x2,y2\n\n3.0,2.0,1,2,3,4\n,,,,,\n')
    assert video.tracks[0].id == 2 and [*video.tracks[0].boxes] == [3]


def test_head_alone(read):
    (video,) = read('frame,id,x1,y1,x2,y2\n')
    assert (video.name, video.tracks) == ('walk', [])
    assert read(HEAD) == []


def test_odd_text_and_paths(read):
    text = (HEAD + 'Straße 東京,0,1,Bär,1,2,3,4\n').replace('\n', '\r\n')
    (video,) = read(b'\xef\xbb\xbf' + text.encode(), 'Ä ö/ü b.csv')
    assert video.name == 'Straße 東京'
    assert video.tracks[0].category == 'Bär'


def test_folder_of_tables(read, tmp_path):
    text = 'frame,id,x1,y1,x2,y2\n0,1,1,2,3,4\n'
    read(text, 't/b.csv')
    read(text, 't/sub/a.csv')
    (tmp_path / 't' / 'notes.txt').write_text('x')
    videos = list(CSVReader(tmp_path / 't').videos())
    assert [video.name for video in videos] == ['b', 'sub/a']
    read(HEAD + 'b,0,1,car,1,2,3,4\n', 't/c.csv')
    with pytest.raises(AnnotationError, match='b.csv has a video of this nam'):
        list(CSVReader(tmp_path / 't').videos())
    (tmp_path / 'empty').mkdir()
    with pytest.raises(AnnotationError, match='no .csv file in this folder'):
        list(CSVReader(tmp_path / 'empty').videos())


def test_numbers_of_frames(read, tmp_path):
    folder = tmp_path / 'frames' / 'a'
    folder.mkdir(parents=True)
    for t in range(3):
        Image.new('RGB', (8, 8)).save(folder / f'{t}.png')
    frames = FrameFolders(tmp_path / 'frames')
    text = HEAD + 'a,3,1,car,1,2,3,4\n'
    match = r'line 2: frame 3 does not exist: the 3 frames.*--first-frame'
    with pytest.raises(AnnotationError, match=match):
        read(text, frames=frames)
    (video,) = read(text, frames=frames, first_frame=1)
    assert [*video.tracks[0].boxes] == [2]
    text = HEAD + 'a,0,1,car,1,2,3,4\n'
    with pytest.raises(AnnotationError, match='frame 0 comes before'):
        read(text, first_frame=1)


# -------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('a,0,7,car,1,2,3', 'line 3 has 7 fields, but the head line 8'),
        ('a,0,7,car,1,5,2,3,4', 'line 3 has 9 fields.*decimal point'),
        ('a,0,7,car,"1,5",2,3,4', "line 3: '1,5' has a decimal comma"),
        ('a,0,7,car,1,2,3,x', "line 3: 'x' is no number"),
        ('a,0,7,car,1,2,3,', "line 3: '' is no number"),
        ('a,0,7,car,1,2,3,nan', r'no finite number.*video a, frame 0'),
        ('a,0,7,car,1,2,inf,4', 'no finite number'),
        ('a,0,7,car,1,2,1,4', 'no positive width and height'),
        ('a,0,7,car,1,2,3,1', 'no positive width and height'),
        ('a,-1,7,car,1,2,3,4', 'line 3: frame -1 comes before'),
        ('a,0.5,7,car,1,2,3,4', "line 3: frame '0.5' is no integer"),
        ('a,nan,7,car,1,2,3,4', "line 3: frame 'nan' is no integer"),
        ('a,,7,car,1,2,3,4', "line 3: '' is no number"),
        ('a,0,,car,1,2,3,4', 'line 3: no id of the track'),
        ('a,9,7,car,1,2,3,5', r'two objects with one id in a frame \(line 3'),
        ('a,8,7,dog,1,2,3,5', "the class changes from 'car' to 'dog'"),
        ('a,0,7,"car,1,2,3,4', 'not csv: line'),
    ],
)
def test_bad_lines(read, row, message):
    with pytest.raises(AnnotationError, match=message) as info:
        read(HEAD + 'a,9,7,car,1,2,3,4\n' + row + '\n')
    assert 'walk.csv' in str(info.value) and 'Fix: ' in str(info.value)


def test_decimal_commas_between_semicolons(read):
    text = 'frame;id;x1;y1;x2;y2\n0;1;1,5;2;3;4\n'
    with pytest.raises(AnnotationError, match="'1,5' has a decimal comma"):
        read(text)


def test_bad_scores(read):
    text = 'frame,id,x1,y1,x2,y2,score\n0,1,1,2,3,4,97\n'
    with pytest.raises(AnnotationError, match=r'score 97 is not in \[0, 1\]'):
        read(text)


def test_the_same_line_twice_counts_once(read):
    (video,) = read(HEAD + 'a,0,7,car,1,2,3,4\n' * 2)
    assert video.tracks[0].boxes == {0: (1, 2, 3, 4)}


def test_truncated_file(read):
    text = HEAD + 'a,0,7,car,1,2,3,4\na,1,7,car,1'
    with pytest.raises(AnnotationError, match='line 3 has 5 fields.*its end'):
        read(text)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'the file is empty'),
        (',,,\n,,,\n', 'no head line'),
        ('a,b,c,d\n1,2,3,4\n', 'no columns for the frame and the id of the'),
        ('frame,id,x1,y1\n', r'no columns for the box among .*option columns'),
        ('frame,id,id,x1,y1,x2,y2\n', "two columns are called 'id'"),
        ('1,-1,3,4,5,6,1,-1,-1,-1\n', 'looks like MOTChallenge text'),
        ('{"videos": [], "images": []}', 'looks like COCO-video json'),
        (b'\xff\xfe\x00\x01', 'not text in UTF-8'),
    ],
)
def test_other_files(read, text, message):
    with pytest.raises(AnnotationError, match=message):
        read(text)


def test_what_our_writer_writes_comes_back(clip, write, tmp_path):
    clip.classes = ('cat', 'dog, "big"\nÄ', 'ant')
    path = write(dict(type='csv', path=tmp_path / 'bear.csv'), clip)
    (video,) = CSVReader(path).videos()
    assert video.name == 'bear'
    for track, written in zip(video.tracks, clip.tracks):
        assert track.id == written.id + 1
        assert track.category == clip.classes[written.labels[0]]
        boxes = map(tuple, written.bboxes.tolist())
        assert track.boxes == dict(zip(written.frames, boxes))
        scores = dict(zip(written.frames, written.frame_scores))
        assert track.scores == pytest.approx(scores)


def test_writer_with_a_column_of_videos(clip, write, tmp_path):
    clip.info = StreamInfo('a/b, c', 24, 32)
    config = dict(type='csv', path=tmp_path / 'x.csv', video_column=True)
    (video,) = CSVReader(write(config, clip)).videos()
    assert (video.name, len(video.tracks)) == ('a/b, c', 3)


@pytest.mark.parametrize('sep', [',', ';', '\t'])
def test_table_of_pandas(tmp_path, sep):
    pandas = pytest.importorskip('pandas')
    rows = [
        ('a', 0, 1, 'car', 0.5, 2.25, 10.0, 8.0, 0.5),
        ('a', 1, 1, 'car', 1.5, 2.25, 10.0, 8.0, None),
        ('b', 7, 3, None, 1.5, 2.25, 10.0, 8.0, 1.0),
    ]
    names = ['video', 'frame', 'track_id', 'class', *'xywh', 'confidence']
    table = pandas.DataFrame(rows, columns=names)
    path = tmp_path / 'a.csv'
    table.to_csv(path, sep=sep, index=sep == ',')  # with a nameless column
    found = {
        (video.name, frame, track.id): (track.category, box)
        for video in CSVReader(path).videos()
        for track in video.tracks
        for frame, box in track.boxes.items()
    }
    again = pandas.read_csv(path, sep=sep)
    classes = again['class'].where(again['class'].notna(), None)
    expected = {
        (r.video, r.frame, r.track_id): (
            name,
            (r.x, r.y, r.x + r.w, r.y + r.h),
        )
        for r, name in zip(again.itertuples(), classes)
    }
    expected = {
        key: (name if isinstance(name, str) else None, box)
        for key, (name, box) in expected.items()
    }
    assert found == expected


def test_empty_name_of_a_video(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('video,frame,id,x,y,w,h\na,0,1,1,1,2,2\n,0,1,1,1,2,2\n')
    with pytest.raises(AnnotationError, match='line 3: no name of the video'):
        list(CSVReader(path).videos())


def test_long_numbers_are_shown_short(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('frame,id,x,y,w,h\n' + '9' * 5000 + ',1,1,1,2,2\n')
    with pytest.raises(AnnotationError, match='line 2') as caught:
        list(CSVReader(path).videos())
    assert len(str(caught.value)) < 1000
