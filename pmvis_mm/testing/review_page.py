"""A tiny label review, and a hand on its page."""

import base64
import io
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
from PIL import Image

from ..review import build_index
from ..structures import PseudoMaskSet
from ..structures.rle import box_rle
from .tiny_vis import write_tiny_vis

FRAMES = 8
SIZE = (64, 96)  # height, width
# Columns by which the square of each video is beside the truth in the final
# labels; the bars are right.
SHIFTS = (2, 6, 0, 4)


def write_tiny_review(root: Union[str, Path]) -> None:
    """Write a review of eight tracks in four videos of eight frames.

    Track 2 v is the square of video v, track 2 v + 1 its bar; see
    :func:`~.tiny_vis.write_tiny_vis`. The final labels are all of the source
    'bad', whose squares lie ``SHIFTS[v]`` columns to the right; the source
    'good' is the truth.

    Args:
        root (str | Path): Gets ``JPEGImages``, ``instances.json``,
            ``good.json``, ``bad.json``, ``final.json`` and
            ``review.sqlite``.
    """
    root = Path(root)
    write_tiny_vis(root, len(SHIFTS), FRAMES, SIZE)
    good = PseudoMaskSet.load(root / 'instances.json', 'good')
    bad = PseudoMaskSet.empty_like(good, 'bad')
    for track in good:
        worse = track.copy()
        shift = SHIFTS[track.video_id] if track.id % 2 == 0 else 0
        for t, box in enumerate(track.boxes):
            if box is not None:
                x0, y0, x1, y1 = box
                mask = box_rle((x0 + shift, y0, x1 + shift, y1), *SIZE)
                worse.set(t, mask, 'bad', 0.5)
                track.set(t, track.masks[t], 'good', 0.9)
        bad.tracks[track.video_id].append(worse)
    good.dump(root / 'good.json')
    bad.dump(root / 'bad.json')
    bad.dump(root / 'final.json')
    build_index(
        root / 'review.sqlite',
        PseudoMaskSet.load(root / 'final.json'),
        dict(good=root / 'good.json', bad=root / 'bad.json'),
        img_prefix=root / 'JPEGImages',
        title='Tiny review',
    )


class ReviewPage:
    """Reads and drives the page; every step waits for what it causes.

    Args:
        page (playwright.sync_api.Page): An empty page.
        address (str): Of the server.

    Attributes:
        page (playwright.sync_api.Page): As given.
        problems (list[str]): Errors of scripts so far.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.problems: List[str] = []
        page.on('pageerror', lambda error: self.problems.append(str(error)))

    def open(self) -> None:
        """Load the page and wait for rows and the first frame."""
        self.page.goto(self.address)
        self.page.wait_for_selector('body[data-ready=true]')
        self.page.wait_for_selector('#player[data-frame]')
        self.page.wait_for_selector('.row[data-id]')

    def on_track(self, track: int, frame: Optional[int] = None) -> None:
        """Wait until a track, and one of its frames, is drawn."""
        selector = f'#player[data-track="{track}"]'
        if frame is not None:
            selector += f'[data-frame="{frame}"]'
        self.page.wait_for_selector(selector)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, frame: int) -> None:
        """Step to a frame by the keyboard."""
        track = self.page.get_attribute('#player', 'data-track')
        self.press('Home', *['ArrowRight'] * frame)
        self.on_track(int(track), frame)

    def show(self, status: str) -> None:
        """Filter by status."""
        self.page.click(f'#statuses [data-status={status}]')
        self.page.wait_for_selector('#list[aria-busy=false]')

    def set_opacity(self, percent: int) -> None:
        """Move the slider of the mask's opacity."""
        self.page.eval_on_selector(
            '#opacity',
            '(input, value) => { input.value = value; '
            'input.dispatchEvent(new Event("input")); }',
            percent,
        )

    def rows(self) -> Dict[int, int]:
        """Give the id of the track by position, of the rows in the page."""
        found: List[Tuple[int, int]] = self.page.eval_on_selector_all(
            '.row[data-id]',
            'rows => rows.map('
            'r => [Number(r.dataset.index), Number(r.dataset.id)])',
        )
        return {index: key for index, key in sorted(found)}

    def pixels(self, selector: str = '#player') -> np.ndarray:
        """Read a canvas.

        Returns:
            np.ndarray: uint8, (H, W, 4), RGBA, pixels of the canvas.
        """
        url = self.page.eval_on_selector(selector, 'c => c.toDataURL()')
        content = base64.b64decode(url.partition(',')[2])
        return np.asarray(Image.open(io.BytesIO(content)).convert('RGBA'))

    def watch_frames(self, number: int) -> None:
        """Begin to note the next frames that are drawn; see :meth:`seen`."""
        self.page.evaluate(
            """number => {
              const player = document.getElementById('player');
              const seen = [];
              let last = player.dataset.frame;
              delete document.body.dataset.seen;
              const observer = new MutationObserver(() => {
                if (player.dataset.frame === last) return;
                last = player.dataset.frame;
                seen.push(Number(last));
                if (seen.length < number) return;
                document.body.dataset.seen = JSON.stringify(seen);
                observer.disconnect();
              });
              observer.observe(player, { attributeFilter: ['data-frame'] });
            }""",
            number,
        )

    def seen(self) -> List[int]:
        """Wait for as many frames as asked for, and give their indices."""
        self.page.wait_for_selector('body[data-seen]')
        text = self.page.get_attribute('body', 'data-seen')
        result: List[int] = json.loads(text)
        return result


def saved_decisions(path: Path) -> List[Dict[str, Any]]:
    """Read the decisions of a review without videos and times."""
    if not path.exists():
        return []
    entries = json.loads(path.read_text())['decisions']
    return [
        {key: entry[key] for key in entry if key not in ('time', 'video')}
        for entry in entries
    ]
