/** One column per frame: measures, decisions, the marked range, the cursor. */

import { FRAME_MEASURES, MEASURES, isSuspicious } from './measures.js';
import { FINAL_COLOR, fitCanvas, sourceColor } from './view.js';

const LANE = 17; // height of a lane, CSS pixels, as the labels in the page
const BAND = 14;
const DRAG = 4; // CSS pixels: less is a click

const COLORS = {
  normal: '#5b7083', bad: '#ff6b57', tint: '#ff6b5750', lane: '#1b232c',
  accept: '#35c47c', reject: '#ff5c5c', none: '#33404d', cursor: '#ffffff',
  range: '#ffd54a', between: '#10151a',
};

export class Strip {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} events onSeek(t), onRange([first, last] or null).
   */
  constructor(canvas, { onSeek, onRange }) {
    this.canvas = canvas;
    this.onSeek = onSeek;
    this.onRange = onRange;
    this.track = null;
    this.t = 0;
    this.range = null;
    this.dragFrom = null;
    canvas.style.height = `${LANE * FRAME_MEASURES.length + 2 * BAND}px`;
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.drag(event));
    canvas.addEventListener('pointerup', (event) => this.release(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  update({ track, t, range }) {
    Object.assign(this, { track, t, range });
    this.draw();
  }

  frameAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const last = this.track.num_frames - 1;
    return Math.max(0, Math.min(last,
      Math.floor(share * this.track.num_frames)));
  }

  press(event) {
    if (!this.track || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.dragFrom = { x: event.clientX, t: this.frameAt(event), far: false };
    this.onSeek(this.dragFrom.t);
  }

  drag(event) {
    const from = this.dragFrom;
    if (!from || !this.track) return;
    from.far = from.far || Math.abs(event.clientX - from.x) > DRAG;
    if (!from.far) return;
    const t = this.frameAt(event);
    this.onSeek(t);
    this.onRange([Math.min(from.t, t), Math.max(from.t, t)]);
  }

  release() {
    this.dragFrom = null;
  }

  draw() {
    const ratio = fitCanvas(this.canvas);
    const context = this.canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [width, height] = [this.canvas.clientWidth,
      this.canvas.clientHeight];
    context.clearRect(0, 0, width, height);
    if (!this.track) return;
    this.step = width / this.track.num_frames;
    // Narrow columns have no room for a gap.
    this.gap = this.step > 5 ? 1 : 0;
    let y = 0;
    for (const name of FRAME_MEASURES) {
      this.drawLane(context, name, y, width);
      y += LANE;
    }
    this.drawBands(context, y);
    this.drawMarks(context, width, height);
  }

  drawLane(context, name, y, width) {
    context.fillStyle = COLORS.lane;
    context.fillRect(0, y + 1, width, LANE - 2);
    const { full } = MEASURES[name];
    this.track.frames.forEach((frame, t) => {
      const value = frame[name];
      const bad = isSuspicious(name, value);
      const [x, w] = this.column(t);
      // A low agreement has a low bar, but must be seen.
      if (bad || (frame.box && !frame.source)) {
        context.fillStyle = COLORS.tint;
        context.fillRect(x, y + 1, w, LANE - 2);
      }
      if (value === null || value === undefined) return;
      const bar = Math.max(1, Math.min(1, value / full) * (LANE - 3));
      context.fillStyle = bad ? COLORS.bad : COLORS.normal;
      context.fillRect(x, y + LANE - 1 - bar, w, bar);
    });
  }

  column(t) {
    return [t * this.step, Math.max(0.5, this.step - this.gap)];
  }

  /** Where the final mask comes from, and below it what was decided. */
  drawBands(context, y) {
    this.track.frames.forEach((frame, t) => {
      const [x, w] = this.column(t);
      context.fillStyle = frame.source
        ? sourceColor(this.track, frame.source) : COLORS.none;
      context.globalAlpha = frame.source ? 0.75 : 0.35;
      context.fillRect(x, y + 2, w, BAND - 4);
      context.globalAlpha = 1;
      context.fillStyle = this.decisionColor(frame);
      context.fillRect(x, y + BAND + 1, w, BAND - 2);
    });
  }

  decisionColor(frame) {
    if (frame.decision === null) return COLORS.none;
    if (frame.decision === 'final') return FINAL_COLOR;
    return COLORS[frame.decision] || sourceColor(this.track, frame.decision);
  }

  drawMarks(context, width, height) {
    if (this.range) {
      const [first, last] = this.range;
      const x0 = first * this.step;
      const x1 = (last + 1) * this.step;
      context.fillStyle = `${COLORS.between}aa`;
      context.fillRect(0, 0, x0, height);
      context.fillRect(x1, 0, width - x1, height);
      context.strokeStyle = COLORS.range;
      context.lineWidth = 2;
      context.strokeRect(x0 + 1, 1, Math.max(1, x1 - x0 - 2), height - 2);
    }
    const [x, w] = this.column(this.t);
    context.strokeStyle = COLORS.cursor;
    context.lineWidth = 1.5;
    context.strokeRect(x - 0.5, 0.75, Math.max(2, w + 1), height - 1.5);
  }
}
