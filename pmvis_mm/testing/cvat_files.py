"""Files as CVAT exports them, from the parts that a test wants."""

from pathlib import Path
from typing import Any

from ..formats.readers import CVATReader, ImportedVideo

META = """
  <meta>
    <task>
      <id>3</id><name>street</name><size>10</size><mode>interpolation</mode>
      <start_frame>0</start_frame><stop_frame>9</stop_frame>
      <frame_filter></frame_filter>
      <labels>
        <label><name>truck</name><attributes></attributes></label>
        <label><name>car</name><attributes></attributes></label>
      </labels>
      <original_size><width>40</width><height>30</height></original_size>
    </task>
    <dumped>2024-05-01</dumped>
    <source>clip 1.mp4</source>
  </meta>"""
BOX = 'xtl="1.50" ytl="2.00" xbr="11.00" ybr="9.25"'


def box_xml(frame: Any, corners: str = BOX, **attributes: Any) -> str:
    """Write a <box>.

    Args:
        frame (Any): Its frame.
        corners (str): Attributes of its corners. Defaults to ``BOX``.
        **attributes: Further ones, such as ``outside=1``.

    Returns:
        str: The element.
    """
    given = ''.join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<box frame="{frame}" {corners}{given}><attribute name="a"/></box>'


def track_xml(
    *shapes: str, head: str = 'id="0" label="car" source="manual"'
) -> str:
    """Write a <track>.

    Args:
        *shapes (str): Its elements.
        head (str): Its attributes.

    Returns:
        str: The element.
    """
    return f'<track {head}>{"".join(shapes)}</track>'


def write_cvat(
    folder: Path,
    *tracks: str,
    meta: str = META,
    name: str = 'annotations.xml',
    encoding: str = 'utf-8',
) -> Path:
    """Write a file.

    Args:
        folder (Path): Where to.
        *tracks (str): Its elements.
        meta (str): The element <meta>. Defaults to ``META``.
        name (str): Of the file, with folders. Defaults to what CVAT calls
            it.
        encoding (str): Of the file. Defaults to UTF-8.

    Returns:
        Path: The file.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<annotations>'
    text += f'\n  <version>1.1</version>{meta}{"".join(tracks)}'
    path.write_text(text + '\n</annotations>\n', encoding=encoding)
    return path


def read_cvat(
    folder: Path, *tracks: str, meta: str = META, **kwargs: Any
) -> ImportedVideo:
    """Write a file and read its only video.

    Args:
        folder (Path): Where to.
        *tracks (str): Its elements.
        meta (str): The element <meta>. Defaults to ``META``.
        **kwargs: Of :class:`CVATReader`.

    Returns:
        ImportedVideo: As read.
    """
    path = write_cvat(folder, *tracks, meta=meta)
    (video,) = CVATReader(path, **kwargs).videos()
    return video
