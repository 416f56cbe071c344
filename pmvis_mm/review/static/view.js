/** Drawing a frame with a mask and a box on a canvas; nothing is stored. */

import { tracePath } from './masks.js';

/** One colour per source, told apart on dark and on bright frames. */
const SOURCE_COLORS = [
  '#ffb000', '#ff5fa2', '#a98bff', '#7be07b', '#ff7f4d', '#4de3d0',
  '#d7d34b', '#c77dff', '#9ab8ff',
];
export const FINAL_COLOR = '#39c5ff';

export function sourceColor(track, source) {
  const index = track.sources.indexOf(source);
  return index < 0 ? FINAL_COLOR : SOURCE_COLORS[index % SOURCE_COLORS.length];
}

/**
 * What the decisions make of a frame.
 * @returns {string|null} Name of the source, 'final', or null: no mask.
 */
export function decidedSource(frame) {
  if (frame.decision === 'reject') return null;
  if (frame.decision === null || frame.decision === 'accept') return 'final';
  return frame.decision;
}

/**
 * The part of the video around an object.
 *
 * Boxes of neighbouring frames are averaged, so that the picture does not
 * tremble while it plays.
 * @param {object} track
 * @param {number} t
 * @param {number} context Width and height over those of the box.
 * @param {number} reach Frames before and after that count.
 * @returns {number[]|null} Half-open xyxy, null if there is no box near.
 */
export function objectRegion(track, t, context = 2, reach = 2) {
  const near = nearestBox(track, t);
  if (near === null) return null;
  const sum = [0, 0, 0, 0];
  let count = 0;
  for (let k = near - reach; k <= near + reach; k++) {
    const box = track.frames[k] && track.frames[k].box;
    if (!box) continue;
    box.forEach((value, i) => { sum[i] += value; });
    count++;
  }
  const [x0, y0, x1, y1] = sum.map((value) => value / count);
  // A box of few pixels would show nothing but blocks.
  const halfW = Math.max((x1 - x0) * context, 24) / 2;
  const halfH = Math.max((y1 - y0) * context, 24) / 2;
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const region = [cx - halfW, cy - halfH, cx + halfW, cy + halfH];
  return around(region, track.frames[near].box);
}

/** Grow a region until a box is well inside, however fast that moved. */
function around(region, [x0, y0, x1, y1]) {
  const [dx, dy] = [(x1 - x0) / 2, (y1 - y0) / 2];
  return [Math.min(region[0], x0 - dx), Math.min(region[1], y0 - dy),
    Math.max(region[2], x1 + dx), Math.max(region[3], y1 + dy)];
}

function nearestBox(track, t) {
  for (let d = 0; d < track.num_frames; d++) {
    for (const k of [t - d, t + d]) {
      if (track.frames[k] && track.frames[k].box) return k;
    }
  }
  return null;
}

/** Scale and offset (canvas pixels) that show a region of the video. */
export function fitRegion(region, width, height) {
  const [x0, y0, x1, y1] = region;
  const scale = Math.min(width / (x1 - x0), height / (y1 - y0));
  return {
    scale,
    dx: (width - scale * (x0 + x1)) / 2,
    dy: (height - scale * (y0 + y1)) / 2,
  };
}

/** Match the canvas to its place on the screen, whatever its pixels. */
export function fitCanvas(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return ratio;
}

/**
 * Draw one frame of a track.
 * @param {HTMLCanvasElement} canvas
 * @param {object} scene bitmap (ImageBitmap or undefined), size ([width,
 *   height] of the video), region (xyxy), loops (outlines of the mask, or
 *   null), color, box (xyxy or null), opacity (0 ... 1), contour (bool).
 */
export function drawScene(canvas, scene) {
  const ratio = fitCanvas(canvas);
  const context = canvas.getContext('2d');
  const [width, height] = scene.size;
  const view = fitRegion(scene.region, canvas.width, canvas.height);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(view.scale, 0, 0, view.scale, view.dx, view.dy);
  if (scene.bitmap) {
    // Pixels stay visible as such where one sees them.
    context.imageSmoothingEnabled = view.scale < 4;
    context.drawImage(scene.bitmap, 0, 0, width, height);
  }
  const unit = ratio / view.scale; // a pixel of the screen
  if (scene.loops) drawMask(context, scene, unit);
  if (scene.box) drawBox(context, scene.box, unit);
}

function drawMask(context, { loops, color, opacity, contour }, unit) {
  tracePath(context, loops);
  context.globalAlpha = opacity;
  context.fillStyle = color;
  context.fill('evenodd');
  context.globalAlpha = 1;
  if (!contour) return;
  context.lineJoin = 'round';
  // Dark below bright is seen on every background.
  for (const [style, width] of [['#000a', 3.5], [color, 1.75]]) {
    context.strokeStyle = style;
    context.lineWidth = width * unit;
    context.stroke();
  }
}

function drawBox(context, [x0, y0, x1, y1], unit) {
  context.lineWidth = 1.5 * unit;
  context.strokeStyle = '#000a';
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setLineDash([6 * unit, 4 * unit]);
  context.strokeStyle = '#ffffff';
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setLineDash([]);
}
