/** What buttons, selects and keys do; the page itself knows no events. */

import { BINDINGS } from './keys.js';
import { worstFirst } from './measures.js';
import { hideFailure, node } from './panels.js';

/** Frames per second to choose from. */
export const SPEEDS = [2, 5, 10, 20, 30];

const SEARCH_DELAY = 250; // ms after the last letter

/** Connect the controls of the page, by their ids. */
export function bindControls(page) {
  bindFilters(page);
  bindPlayer(page);
  const clicks = {
    accept: () => page.accept(),
    reject: () => page.decide('reject'),
    clear: () => page.decide('clear'),
    undo: () => page.undo(),
    unmark: () => page.setRange(null),
    enlarge: () => enlarge(page),
    'help-button': () => node('help').showModal(),
    'failure-close': hideFailure,
  };
  for (const [id, act] of Object.entries(clicks)) {
    node(id).addEventListener('click', act);
  }
  node('choose').addEventListener('change', () => {
    const source = node('choose').value;
    // It is a button with a menu, not a state.
    node('choose').value = '';
    if (source) page.choose(source);
  });
}

function bindFilters(page) {
  node('sort').addEventListener('change', () => {
    const sort = node('sort').value;
    page.filter({ sort, order: worstFirst(sort) });
  });
  node('order').addEventListener('click', () => {
    page.filter({ order: page.query.order === 'asc' ? 'desc' : 'asc' });
  });
  node('category').addEventListener('change',
    () => page.filter({ category: node('category').value }));
  let timer;
  const search = () => {
    clearTimeout(timer);
    const text = node('search').value.trim();
    if (text === page.query.search) return null;
    return page.filter({ search: text });
  };
  node('search').addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, SEARCH_DELAY);
  });
  node('search').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    node('search').blur();
    search();
  });
}

function bindPlayer(page) {
  const { player } = page;
  node('play').addEventListener('click', () => player.toggle());
  node('back').addEventListener('click', () => player.step(-1));
  node('forward').addEventListener('click', () => player.step(1));
  node('worst').addEventListener('click', () => toSuspicious(player));
  node('slider').addEventListener('input', () => {
    player.pause();
    player.seek(Number(node('slider').value));
  });
  node('fps').addEventListener('change', () => {
    player.fps = Number(node('fps').value);
  });
  node('show').addEventListener('change',
    () => page.setOption('show', node('show').value));
  node('opacity').addEventListener('input',
    () => page.setOption('opacity', node('opacity').value / 100));
  for (const id of ['contour', 'box', 'zoom']) {
    node(id).addEventListener('change',
      () => page.setOption(id, node(id).checked));
  }
}

function toSuspicious(player) {
  const t = player.nextSuspicious();
  player.pause();
  if (t !== null) player.seek(t);
}

function enlarge(page) {
  const on = node('stage').classList.toggle('enlarged');
  node('enlarge').setAttribute('aria-pressed', String(on));
  page.compare.arrange();
}

function changeSpeed(page, by) {
  const at = SPEEDS.indexOf(page.player.fps);
  const next = Math.max(0, Math.min(SPEEDS.length - 1, at + by));
  page.player.fps = SPEEDS[next];
  node('fps').value = SPEEDS[next];
}

function changeOpacity(page, by) {
  const value = page.player.options.opacity + by;
  page.setOption('opacity', Math.max(0, Math.min(1, value)));
}

function nextShown(page) {
  const values = Array.from(node('show').options, (option) => option.value);
  const at = values.indexOf(node('show').value);
  page.setOption('show', values[(at + 1) % values.length]);
}

/** Mark from or up to the present frame; the other end follows if needed. */
function mark(page, end) {
  if (!page.track) return;
  const { t } = page.player;
  const [first, last] = page.range
    || (end ? [0, t] : [t, page.track.num_frames - 1]);
  page.setRange(end ? [Math.min(first, t), t] : [t, Math.max(last, t)]);
}

function escape(page) {
  if (document.activeElement !== document.body) {
    document.activeElement.blur();
  } else page.setRange(null);
}

function chooseByNumber(page, key) {
  const source = page.track && page.track.sources[Number(key) - 1];
  if (source) page.choose(source);
}

/** Functions by the names in the table of keys. */
export function makeActions(page) {
  const { player, list } = page;
  const toggle = (name) => page.setOption(name, !player.options[name]);
  const actions = {
    next: () => list.move(1),
    previous: () => list.move(-1),
    nextOpen: () => page.openNext(),
    search: () => node('search').select(),
    play: () => player.toggle(),
    back: () => player.step(-1),
    forward: () => player.step(1),
    back10: () => player.step(-10),
    forward10: () => player.step(10),
    first: () => player.step(-Infinity),
    last: () => player.step(Infinity),
    suspicious: () => toSuspicious(player),
    slower: () => changeSpeed(page, -1),
    faster: () => changeSpeed(page, 1),
    accept: () => page.accept(),
    reject: () => page.decide('reject'),
    choose: (key) => chooseByNumber(page, key),
    clear: () => page.decide('clear'),
    undo: () => page.undo(),
    rangeStart: () => mark(page, false),
    rangeEnd: () => mark(page, true),
    unmark: () => escape(page),
    zoom: () => toggle('zoom'),
    enlarge: () => enlarge(page),
    show: () => nextShown(page),
    contour: () => toggle('contour'),
    box: () => toggle('box'),
    opacityDown: () => changeOpacity(page, -0.1),
    opacityUp: () => changeOpacity(page, 0.1),
    help: () => node('help').showModal(),
  };
  const lacking = BINDINGS.filter(({ action }) => !actions[action]);
  if (lacking.length) throw new Error(`no action ${lacking[0].action}`);
  return actions;
}
