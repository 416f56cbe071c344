/** Frames and masks of tracks, loaded when asked for, bounded in memory. */

import { api } from './api.js';
import { Cache } from './cache.js';
import { traceLoops } from './masks.js';

const FRAME_BYTES = 40 * 2 ** 20; // decoded, 4 bytes per pixel
const RUNS = 2 ** 20; // 4 bytes each
const CORNERS = 2 ** 18; // 8 bytes each
const CHUNK = 24; // frames per request of masks
// Larger frames are asked for in this width: no screen shows more of them.
const MAX_WIDTH = 1920;

export class Media {
  constructor() {
    this.bitmaps = new Cache(FRAME_BYTES, (bitmap) => bitmap.close());
    this.chunks = new Cache(RUNS);
    this.outlines = new Cache(CORNERS);
  }

  /** Load what is drawn of a frame, so that the getters below have it. */
  async ready(track, t, sources) {
    const waiting = sources.map((source) => this.loadChunk(track, source, t));
    // Masks are shown even if the picture is missing.
    const results = await Promise.allSettled(
      [this.loadFrame(track, t), ...waiting]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  loadFrame(track, t) {
    const key = `${track.video_id}/${t}`;
    return this.bitmaps.load(key, async () => {
      const width = track.width > MAX_WIDTH ? MAX_WIDTH : undefined;
      // Pictures of image elements stay in caches of the browser, which
      // grew three times as large as this one.
      const bitmap = await createImageBitmap(
        await api.frame(track.video_id, t, width));
      return [bitmap, 4 * bitmap.width * bitmap.height];
    });
  }

  loadChunk(track, source, t) {
    const start = t - (t % CHUNK);
    return this.chunks.load(`${track.id}/${source}/${start}`, async () => {
      const stop = Math.min(start + CHUNK, track.num_frames);
      const { masks } = await api.masks(track.id, source, start, stop);
      const runs = masks.map((counts) => counts && Int32Array.from(counts));
      const cost = runs.reduce((sum, run) => sum + (run ? run.length : 8), 0);
      return [runs, cost];
    });
  }

  /** Decoded frame, or undefined if it has left the cache. */
  bitmap(track, t) {
    return this.bitmaps.get(`${track.video_id}/${t}`);
  }

  /** Run lengths, null where there is no mask, undefined if not loaded. */
  counts(track, source, t) {
    const runs = this.chunks.get(`${track.id}/${source}/${t - (t % CHUNK)}`);
    return runs && runs[t % CHUNK];
  }

  /** Outlines in the pixels of the video, or null without a mask. */
  loops(track, source, t) {
    const counts = this.counts(track, source, t);
    if (!counts) return null;
    const key = `${track.id}/${source}/${t}`;
    let loops = this.outlines.get(key);
    if (!loops) {
      loops = traceLoops(counts, track.height);
      const corners = loops.reduce((sum, loop) => sum + loop.length / 2, 8);
      this.outlines.set(key, loops, corners);
    }
    return loops;
  }

  /** Load the next frames in the background; they may fail later, loudly. */
  prefetch(track, from, most, sources) {
    const width = Math.min(track.width, MAX_WIDTH);
    const bytes = 4 * width * width * (track.height / track.width);
    // More would drive each other out before they are shown.
    const count = Math.min(most, Math.floor(FRAME_BYTES / 2 / bytes));
    const last = Math.min(from + count, track.num_frames);
    for (let t = from; t < last; t++) {
      this.ready(track, t, sources).catch(() => {});
    }
  }
}
