/**
 * Masks as uncompressed run lengths (COCO: column by column, the first run
 * is background) and as outlines.
 *
 * An outline runs along the edges of the pixels: it stays sharp at every
 * zoom, has no seams, and is far smaller than a picture of the mask.
 */

/** Number of foreground pixels. */
export function maskArea(counts) {
  let area = 0;
  for (let i = 1; i < counts.length; i += 2) area += counts[i];
  return area;
}

/** Intersection over union of two masks of one size; 0 if both are empty. */
export function maskIou(first, second) {
  let both = 0;
  let i = 0;
  let j = 0;
  let left = first.length ? first[0] : 0;
  let right = second.length ? second[0] : 0;
  while (i < first.length && j < second.length) {
    const step = Math.min(left, right);
    if (i & 1 && j & 1) both += step;
    left -= step;
    right -= step;
    if (left === 0) left = first[++i];
    if (right === 0) right = second[++j];
  }
  const union = maskArea(first) + maskArea(second) - both;
  return union ? both / union : 0;
}

/**
 * Foreground of every column.
 * @returns {Map<number, number[][]>} By x, half-open [top, bottom] spans.
 */
export function columnSpans(counts, height) {
  const columns = new Map();
  let start = 0;
  for (let i = 0; i < counts.length; i++) {
    const end = start + counts[i];
    let at = start;
    while (i & 1 && at < end) {
      const x = Math.floor(at / height);
      const top = at - x * height;
      const bottom = Math.min(height, top + end - at);
      if (!columns.has(x)) columns.set(x, []);
      columns.get(x).push([top, bottom]);
      at += bottom - top;
    }
    start = end;
  }
  return columns;
}

/** Parts of the spans that no other span covers; both are sorted. */
function uncovered(spans, others) {
  const parts = [];
  for (const [top, bottom] of spans) {
    let from = top;
    for (const [low, high] of others) {
      if (high <= from || low >= bottom) continue;
      if (low > from) parts.push([from, low]);
      from = Math.max(from, high);
    }
    if (from < bottom) parts.push([from, bottom]);
  }
  return parts;
}

/** Edges around the mask, clockwise: by start corner, the end corners. */
function boundary(columns, height) {
  const edges = new Map();
  const rows = height + 1;
  const add = (x0, y0, x1, y1) => {
    const key = x0 * rows + y0;
    // Where pixels touch at a corner only, two edges leave it.
    if (edges.has(key)) edges.get(key).push(x1 * rows + y1);
    else edges.set(key, [x1 * rows + y1]);
  };
  for (const [x, spans] of columns) {
    for (const [top, bottom] of spans) {
      add(x, top, x + 1, top);
      add(x + 1, bottom, x, bottom);
    }
    for (const [a, b] of uncovered(spans, columns.get(x - 1) || [])) {
      add(x, b, x, a);
    }
    for (const [a, b] of uncovered(spans, columns.get(x + 1) || [])) {
      add(x + 1, a, x + 1, b);
    }
  }
  return edges;
}

/**
 * Closed outlines of a mask, holes included.
 * @returns {Int32Array[]} Per loop x, y, x, y, ... of its corners, pixels.
 */
export function traceLoops(counts, height) {
  const edges = boundary(columnSpans(counts, height), height);
  const rows = height + 1;
  const loops = [];
  for (const [start, ends] of edges) {
    while (ends.length) {
      const loop = [];
      let at = start;
      do {
        const next = edges.get(at).pop();
        pushCorner(loop, Math.floor(at / rows), at % rows);
        at = next;
      } while (at !== start);
      loops.push(Int32Array.from(loop));
    }
  }
  return loops;
}

/** Append a corner; one in the middle of a straight line is dropped. */
function pushCorner(loop, x, y) {
  const n = loop.length;
  const straight = n >= 4 && (
    (loop[n - 4] === loop[n - 2] && loop[n - 2] === x) ||
    (loop[n - 3] === loop[n - 1] && loop[n - 1] === y));
  if (straight) loop.length -= 2;
  loop.push(x, y);
}

/**
 * Make the outlines the path of a canvas, to fill with the rule 'evenodd' and
 * to stroke.
 *
 * No Path2D: its memory is outside of the heap of JavaScript, so that the
 * browser would keep those of hundreds of tracks before it collects them.
 */
export function tracePath(context, loops) {
  context.beginPath();
  for (const loop of loops) {
    context.moveTo(loop[0], loop[1]);
    for (let i = 2; i < loop.length; i += 2) {
      context.lineTo(loop[i], loop[i + 1]);
    }
    context.closePath();
  }
}
