/** The parts of the page that only show: counts, head of the track, facts. */

import {
  FRAME_MEASURES, MEASURES, STATUSES, format, isSuspicious, reasons,
  statusBadge,
} from './measures.js';

export const node = (id) => document.getElementById(id);

/** An element with text and, if given, a class. */
export function element(tag, text = '', className = '') {
  const result = document.createElement(tag);
  result.textContent = text;
  if (className) result.className = className;
  return result;
}

/** Progress of the whole review. */
export function showCounts(counts, total) {
  const done = total - counts.open;
  for (const bar of node('progress').children) {
    const share = total ? counts[bar.className] / total : 0;
    bar.style.width = `${100 * share}%`;
  }
  node('progress-text').textContent = `${done} of ${total} tracks decided`;
  node('progress').setAttribute('aria-label',
    `${done} of ${total} tracks decided`);
  for (const button of node('statuses').children) {
    const status = button.dataset.status;
    button.querySelector('b').textContent =
      status === 'all' ? total : counts[status];
  }
}

/** Buttons that filter by status. */
export function makeStatusButtons(onChoose) {
  const names = ['open', 'accepted', 'rejected', 'changed', 'all'];
  for (const name of names) {
    const button = element('button');
    button.type = 'button';
    button.dataset.status = name;
    const label = STATUSES[name] ? STATUSES[name].label : 'All';
    button.append(element('b', '0'), element('span', label));
    button.addEventListener('click', () => onChoose(name));
    node('statuses').append(button);
  }
}

export function markStatusButton(status) {
  for (const button of node('statuses').children) {
    button.setAttribute('aria-pressed',
      String(button.dataset.status === status));
  }
}

/** Name, status, measures and neighbours of the track. */
export function showTrack(track, onNeighbour) {
  node('track-name').textContent =
    `${track.video_name} · ${track.category} #${track.id}`;
  node('track-status').replaceChildren(statusBadge(track.status));
  const measures = Object.keys(MEASURES).filter(
    (name) => track[name] !== null && (name !== 'missing' || track[name]));
  node('track-measures').replaceChildren(
    ...measures.map((name) => measureItem(name, track[name])));
  const others = track.neighbours.map((id) => {
    const button = element('button', `#${id}`);
    button.type = 'button';
    button.addEventListener('click', () => onNeighbour(id));
    return button;
  });
  node('neighbours').replaceChildren(
    ...(others.length ? ['with', ...others] : []));
}

function measureItem(name, value) {
  const item = element('div');
  item.classList.toggle('bad', isSuspicious(name, value));
  item.title = MEASURES[name].hint;
  item.append(element('dt', MEASURES[name].label),
    element('dd', format(value)));
  return item;
}

/**
 * Change a text in place. While it plays, new nodes for every frame would
 * pile up faster than the browser collects the old ones.
 */
export function setText(target, text) {
  const first = target.firstChild;
  if (!first) target.textContent = text;
  else if (first.data !== text) first.data = text;
}

const FACTS = ['frame', 'from', 'score', ...FRAME_MEASURES, 'decided'];
const facts = new Map();

/** The places for the numbers of a frame, made once. */
export function makeFacts() {
  for (const name of FACTS) {
    const label = MEASURES[name] ? MEASURES[name].label.toLowerCase() : name;
    const item = element('span', `${label} `);
    const value = element('b', '–');
    item.append(value);
    facts.set(name, { item, value });
    node('frame-facts').append(item);
  }
  for (const name of ['absent', 'warning']) {
    const item = element('span', '', name === 'warning' ? 'bad' : '');
    facts.set(name, { item, value: item });
    node('frame-facts').append(item);
  }
}

function setFact(name, text, bad = name === 'warning') {
  const { item, value } = facts.get(name);
  item.hidden = !text;
  item.classList.toggle('bad', bad);
  setText(value, text);
}

/** The numbers of one frame, and why it looks wrong. */
export function showFrame(track, t) {
  const frame = track.frames[t];
  const words = reasons(frame);
  node('frame-facts').hidden = false;
  setFact('frame', `${t + 1} / ${track.num_frames}`);
  setFact('from', frame.source || 'no mask');
  setFact('score', frame.score === null ? '' : format(frame.score));
  for (const name of FRAME_MEASURES) {
    setFact(name, format(frame[name]), isSuspicious(name, frame[name]));
  }
  setFact('decided', frame.decision || '');
  setFact('absent', frame.box ? '' : 'no box: object not here');
  const none = words.includes('no mask') ? 'no mask' : 'look here';
  setFact('warning', words.length ? `⚠ ${none}` : '');
  const slider = node('slider');
  slider.max = track.num_frames - 1;
  slider.value = t;
  slider.setAttribute('aria-valuetext',
    `${t + 1} of ${track.num_frames} ${words.join(', ')}`);
}

/** Names beside the lanes of the strip. */
export function makeLaneNames() {
  const lanes = FRAME_MEASURES.map((name) => {
    const label = element('span', MEASURES[name].label);
    label.title = MEASURES[name].hint;
    return label;
  });
  const bands = ['From source', 'Decision'].map(
    (name) => element('span', name, 'band'));
  node('lane-names').append(...lanes, ...bands);
}

/** Fill a select; entries are [value, text]. */
export function fillSelect(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => {
    const option = element('option', text);
    option.value = value;
    return option;
  }));
}

/** Tell of a failure until it is dismissed or something succeeds. */
export function showFailure(title, error) {
  node('failure-title').textContent = title;
  node('failure-text').textContent = error.message;
  node('failure').hidden = false;
}

export function hideFailure() {
  node('failure').hidden = true;
}
