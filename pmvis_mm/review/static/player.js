/** The large picture: which frame, playing, and how it is drawn. */

import { reasons } from './measures.js';
import { setText } from './panels.js';
import { decidedSource, drawScene, objectRegion, sourceColor } from './view.js';

const AHEAD = 8; // frames that are loaded before they are shown

export class Player {
  /**
   * @param {object} nodes canvas, note, error.
   * @param {Media} media
   * @param {function} onFrame Called when another frame is on the screen, or
   *   when playing starts or stops.
   */
  constructor(nodes, media, onFrame) {
    Object.assign(this, nodes);
    this.media = media;
    this.onFrame = onFrame;
    this.track = null;
    this.t = 0;
    this.fps = 10;
    this.playing = false;
    this.range = null;
    this.sources = [];
    this.options = { opacity: 0.45, contour: true, box: true, zoom: false,
      show: 'result' };
    this.wanted = null;
    new ResizeObserver(() => {
      if (this.presented) this.draw();
    }).observe(this.canvas);
  }

  /** Show a track from the first frame that has a box. */
  setTrack(track, sources) {
    this.pause();
    this.track = track;
    this.sources = sources;
    this.range = null;
    // Whoever decides must have seen it: nothing of it is drawn yet.
    this.presented = null;
    this.t = Math.max(track.frames.findIndex((frame) => frame.box), 0);
    return this.seek(this.t);
  }

  clear() {
    this.pause();
    this.track = null;
    this.presented = null;
    this.wanted = null;
    delete this.canvas.dataset.frame;
    this.canvas.getContext('2d').setTransform(1, 0, 0, 1, 0, 0);
    this.canvas.width = this.canvas.clientWidth;
    this.note.textContent = '';
    this.error.hidden = true;
  }

  /** Go to a frame; of many calls in a row only the last one is loaded. */
  async seek(t) {
    if (!this.track) return;
    const last = this.track.num_frames - 1;
    const waiting = this.wanted !== null;
    this.wanted = { track: this.track, t: Math.max(0, Math.min(last, t)) };
    if (waiting) return;
    while (this.wanted) {
      const goal = this.wanted;
      const problem = await this.load(goal);
      if (goal !== this.wanted) continue;
      this.wanted = null;
      this.present(goal.t, problem);
    }
  }

  async load({ track, t }) {
    try {
      await this.media.ready(track, t, this.sources);
      return null;
    } catch (error) {
      return error;
    }
  }

  /** Put a loaded frame on the screen; the problem goes beside it. */
  present(t, problem) {
    this.t = t;
    this.presented = this.track;
    this.error.hidden = problem === null;
    this.error.textContent = problem ? problem.message : '';
    this.draw();
    this.onFrame(t);
    this.media.prefetch(this.track, t + 1, AHEAD, this.sources);
  }

  step(by) {
    this.pause();
    const from = this.wanted ? this.wanted.t : this.t;
    return this.seek(from + by);
  }

  /** Next frame, cyclic, that some measure calls suspicious. */
  nextSuspicious(direction = 1) {
    if (!this.track) return null;
    const n = this.track.num_frames;
    for (let d = 1; d <= n; d++) {
      const t = (this.t + direction * d + n * d) % n;
      if (reasons(this.track.frames[t]).length) return t;
    }
    return null;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.onFrame(this.t);
  }

  /** Play in a loop, in the marked range if there is one. */
  async play() {
    if (!this.track || this.track.num_frames < 2) return;
    const run = {};
    this.run = run;
    this.playing = true;
    this.onFrame(this.t);
    while (this.playing && this.run === run) {
      const goal = { track: this.track, t: this.following() };
      const [problem] = await Promise.all(
        [this.load(goal), delay(1000 / this.fps)]);
      if (!this.playing || this.run !== run) return;
      // Someone who drags the slider meanwhile has the say.
      if (!this.wanted) this.present(goal.t, problem);
    }
  }

  following() {
    const [first, last] = this.range || [0, this.track.num_frames - 1];
    return this.t >= last || this.t < first ? first : this.t + 1;
  }

  /** Name of the source that is drawn in the present frame, or null. */
  shownSource() {
    const { show } = this.options;
    return show === 'result' ? decidedSource(this.track.frames[this.t]) : show;
  }

  draw() {
    if (!this.track) return;
    const { track, t, media, options } = this;
    const frame = track.frames[t];
    const source = this.shownSource();
    const whole = [0, 0, track.width, track.height];
    const region = options.zoom ? objectRegion(track, t) : null;
    drawScene(this.canvas, {
      bitmap: media.bitmap(track, t),
      size: [track.width, track.height],
      region: region || whole,
      loops: source && media.loops(track, source, t),
      color: sourceColor(track, source),
      box: options.box ? frame.box : null,
      opacity: options.opacity,
      contour: options.contour,
    });
    // What is drawn, for tests and for those who look at the page's source.
    Object.assign(this.canvas.dataset,
      { frame: t, track: track.id, source: source || '' });
    setText(this.note, this.describe(frame, source));
  }

  describe(frame, source) {
    const present = source && this.media.counts(this.track, source, this.t);
    let what = 'the result: final labels';
    if (frame.decision === 'reject') what = 'the result: rejected, no mask';
    else if (source !== 'final') what = `the result: ${source}`;
    if (this.options.show !== 'result') what = `only: ${source}`;
    if (source && !present) what += ', no mask in this frame';
    return `Shows ${what}`;
  }
}

function delay(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
