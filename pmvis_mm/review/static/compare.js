/** Tiles of all sources in one frame, zoomed to the object; click: choose. */

import { maskIou } from './masks.js';
import { format } from './measures.js';
import { setText } from './panels.js';
import {
  FINAL_COLOR, decidedSource, drawScene, objectRegion, sourceColor,
} from './view.js';

const CAPTION = 28; // height, CSS pixels
const SHAPE = 4 / 3; // width over height that suits most objects

/** Number of columns that makes the tiles as large as possible. */
export function bestColumns(count, width, height) {
  let best = 1;
  let largest = 0;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns,
      (height / rows - CAPTION) * SHAPE);
    if (size > largest) [best, largest] = [columns, size];
  }
  return best;
}

export class Compare {
  /**
   * @param {HTMLElement} root Gets the tiles.
   * @param {Media} media
   * @param {function} onChoose Called with 'final' or the name of a source.
   */
  constructor(root, media, onChoose) {
    this.root = root;
    this.media = media;
    this.onChoose = onChoose;
    this.tiles = new Map();
    this.track = null;
    this.options = { opacity: 0.45, contour: true };
    new ResizeObserver(() => this.arrange()).observe(root);
  }

  setTrack(track) {
    const names = ['final', ...track.sources];
    const same = this.track && String(names) === String(this.sources);
    this.track = track;
    this.t = 0;
    // Most tracks have the same sources. Canvases that are thrown away hold
    // their memory until the browser finds time to collect them.
    if (same) return;
    for (const { canvas } of this.tiles.values()) canvas.width = 0;
    this.tiles.clear();
    names.forEach((name, i) => this.tiles.set(name, this.tile(name, i)));
    this.root.replaceChildren(
      ...Array.from(this.tiles.values(), (tile) => tile.button));
    this.layOut();
  }

  layOut() {
    const columns = bestColumns(this.tiles.size, this.root.clientWidth,
      this.root.clientHeight);
    this.root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  }

  arrange() {
    this.layOut();
    this.draw();
  }

  tile(name, number) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tile';
    button.dataset.source = name;
    button.title = name;
    const color = name === 'final' ? FINAL_COLOR
      : sourceColor(this.track, name);
    button.style.setProperty('--source', color);
    const canvas = document.createElement('canvas');
    const caption = document.createElement('span');
    caption.className = 'caption';
    const key = document.createElement('kbd');
    key.textContent = number < 10 ? String(number) : '';
    const label = document.createElement('b');
    label.textContent = name;
    const facts = document.createElement('span');
    facts.className = 'facts';
    caption.append(key, label, facts);
    button.append(canvas, caption);
    button.addEventListener('click', () => this.onChoose(name));
    return { button, canvas, facts };
  }

  /** Names whose masks must be loaded before a frame is shown. */
  get sources() {
    return Array.from(this.tiles.keys());
  }

  show(t, options = this.options) {
    this.t = t;
    this.options = options;
    this.draw();
  }

  draw() {
    if (!this.track) return;
    const frame = this.track.frames[this.t];
    const inUse = decidedSource(frame);
    for (const [name, tile] of this.tiles) {
      this.drawTile(name, tile, frame);
      const used = name === inUse;
      tile.button.classList.toggle('used', used);
      setText(tile.facts, this.facts(name, frame));
      tile.button.setAttribute('aria-pressed', String(used));
    }
  }

  drawTile(name, tile, frame) {
    const { track, t, media } = this;
    const whole = [0, 0, track.width, track.height];
    drawScene(tile.canvas, {
      bitmap: media.bitmap(track, t),
      size: [track.width, track.height],
      region: objectRegion(track, t, 1.5, 0) || whole,
      loops: media.loops(track, name, t),
      color: name === 'final' ? FINAL_COLOR : sourceColor(track, name),
      box: frame.box,
      ...this.options,
    });
  }

  facts(name, frame) {
    const counts = this.media.counts(this.track, name, this.t);
    if (counts === undefined) return '…';
    if (counts === null) return 'no mask here';
    if (name === 'final') return frame.source || '';
    const final = this.media.counts(this.track, 'final', this.t);
    return final ? `IoU ${format(maskIou(counts, final))}` : 'final has none';
  }
}
