/** Names, directions and limits of the measures, in one place. */

/**
 * worst: which end is suspicious. limit: beyond it a frame is coloured;
 * full: value at which its bar is full.
 */
export const MEASURES = {
  suspicion: {
    label: 'Suspicion', worst: 'high', limit: 0.5, full: 1,
    hint: 'All measures in one number from 0 (fine) to 1',
  },
  agreement: {
    label: 'Agreement', worst: 'low', limit: 0.7, full: 1,
    hint: 'Mean IoU of the final mask with the other sources',
  },
  area_jump: {
    label: 'Area jump', worst: 'high', limit: 0.3, full: 0.8,
    hint: 'Sudden change of the mask area, relative to the box',
  },
  flicker: {
    label: 'Flicker', worst: 'high', limit: 0.35, full: 1,
    hint: 'Change of shape from one frame to the next',
  },
  overflow: {
    label: 'Overflow', worst: 'high', limit: 0.1, full: 0.4,
    hint: 'Share of the mask outside the box',
  },
  missing: {
    label: 'Missing', worst: 'high', limit: 0, full: 1,
    hint: 'Frames with a box but without a mask',
  },
};

/** Measures that frames have, in the order of the strip. */
export const FRAME_MEASURES = ['agreement', 'area_jump', 'flicker',
  'overflow'];

export const STATUSES = {
  open: { label: 'Open', symbol: '○' },
  accepted: { label: 'Accepted', symbol: '✓' },
  rejected: { label: 'Rejected', symbol: '✕' },
  changed: { label: 'Changed', symbol: '⇄' },
};

/** Order of a sort key that brings the suspicious tracks to the top. */
export function worstFirst(sort) {
  return MEASURES[sort] && MEASURES[sort].worst === 'high' ? 'desc' : 'asc';
}

export function isSuspicious(name, value) {
  if (value === null || value === undefined) return false;
  const { worst, limit } = MEASURES[name];
  return worst === 'high' ? value > limit : value < limit;
}

/** A frame that one should look at, with the reasons in words. */
export function reasons(frame) {
  const found = FRAME_MEASURES.filter(
    (name) => isSuspicious(name, frame[name]));
  const words = found.map((name) => MEASURES[name].label.toLowerCase());
  if (frame.box && !frame.source) words.push('no mask');
  return words;
}

export function format(value) {
  if (value === null || value === undefined) return '–';
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** A class that CSS can address, whatever the status says. */
export function statusBadge(status) {
  const { label, symbol } = STATUSES[status];
  const badge = document.createElement('span');
  badge.className = `badge ${status}`;
  badge.textContent = `${symbol} ${label}`;
  return badge;
}
