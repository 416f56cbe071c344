/** Keyboard: one table for what keys do and for the help that lists them. */

/**
 * Keys by name of the action; `keys` as in KeyboardEvent.key, with 'Shift+'
 * where it matters.
 */
export const BINDINGS = [
  { group: 'Tracks', action: 'next', keys: ['j', 'ArrowDown'],
    text: 'Next track' },
  { group: 'Tracks', action: 'previous', keys: ['k', 'ArrowUp'],
    text: 'Previous track' },
  { group: 'Tracks', action: 'nextOpen', keys: ['Enter'],
    text: 'Next open track' },
  { group: 'Tracks', action: 'search', keys: ['/'],
    text: 'Search; Enter opens the first hit' },
  { group: 'Frames', action: 'play', keys: [' '], text: 'Play or pause' },
  { group: 'Frames', action: 'back', keys: ['ArrowLeft'],
    text: 'One frame back' },
  { group: 'Frames', action: 'forward', keys: ['ArrowRight'],
    text: 'One frame forward' },
  { group: 'Frames', action: 'back10', keys: ['Shift+ArrowLeft'],
    text: 'Ten frames back' },
  { group: 'Frames', action: 'forward10', keys: ['Shift+ArrowRight'],
    text: 'Ten frames forward' },
  { group: 'Frames', action: 'first', keys: ['Home'], text: 'First frame' },
  { group: 'Frames', action: 'last', keys: ['End'], text: 'Last frame' },
  { group: 'Frames', action: 'suspicious', keys: ['n'],
    text: 'Next suspicious frame' },
  { group: 'Frames', action: 'slower', keys: ['-'], text: 'Slower' },
  { group: 'Frames', action: 'faster', keys: ['+', '='], text: 'Faster' },
  { group: 'Decide', action: 'accept', keys: ['a'], text: 'Accept' },
  { group: 'Decide', action: 'reject', keys: ['r'], text: 'Reject' },
  { group: 'Decide', action: 'choose', show: ['1', '…', '9'],
    keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
    text: 'Use the source of this tile' },
  { group: 'Decide', action: 'clear', keys: ['c', '0'],
    text: 'Clear: back to the final labels, undecided' },
  { group: 'Decide', action: 'undo', keys: ['u'],
    text: 'Undo the last decision' },
  { group: 'Range', action: 'rangeStart', keys: ['['],
    text: 'Mark from this frame' },
  { group: 'Range', action: 'rangeEnd', keys: [']'],
    text: 'Mark up to this frame' },
  { group: 'Range', action: 'unmark', keys: ['Escape'],
    text: 'Remove the mark' },
  { group: 'View', action: 'zoom', keys: ['z'], text: 'Zoom to the object' },
  { group: 'View', action: 'enlarge', keys: ['x'], text: 'Larger tiles' },
  { group: 'View', action: 'show', keys: ['v'],
    text: 'Show the result, the final labels, or one source' },
  { group: 'View', action: 'contour', keys: ['o'], text: 'Contour' },
  { group: 'View', action: 'box', keys: ['b'], text: 'Box' },
  { group: 'View', action: 'opacityDown', keys: [','],
    text: 'More transparent mask' },
  { group: 'View', action: 'opacityUp', keys: ['.'],
    text: 'More opaque mask' },
  { group: 'View', action: 'help', keys: ['?'], text: 'This help' },
];

const NAMES = { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑',
  ArrowDown: '↓', Escape: 'Esc', 'Shift+ArrowLeft': 'Shift ←',
  'Shift+ArrowRight': 'Shift →' };

/** Whether the element needs the key itself. */
function keepsKey(element, key) {
  const tag = element.tagName;
  if (key === 'Escape') return false;
  if (tag === 'INPUT' && element.type === 'range') {
    return key.startsWith('Arrow') || key === 'Home' || key === 'End';
  }
  if (tag === 'INPUT' && element.type === 'checkbox') return key === ' ';
  if (tag === 'INPUT' || tag === 'SELECT') return true;
  return tag === 'BUTTON' && (key === ' ' || key === 'Enter');
}

/**
 * Call actions when their keys are pressed.
 * @param {object} actions Functions by name; they get the key.
 */
export function bindKeys(actions) {
  const byKey = new Map();
  for (const { action, keys } of BINDINGS) {
    keys.forEach((key) => byKey.set(key, action));
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]')) return;
    if (keepsKey(event.target, event.key)) return;
    const shift = event.shiftKey && event.key.length > 1 ? 'Shift+' : '';
    const action = byKey.get(shift + event.key)
      || byKey.get(event.key.toLowerCase());
    if (!action) return;
    event.preventDefault();
    actions[action](event.key);
  });
  releaseFocusAfterPointer();
}

/**
 * After a click the focus goes back to the page. Otherwise Space would press
 * the button again instead of playing.
 */
function releaseFocusAfterPointer() {
  const release = (event) => {
    const element = event.target.closest('button, input, select');
    const text = element && element.type === 'search';
    if (element && !text && event.detail > 0) element.blur();
  };
  document.addEventListener('click', release);
  let byPointer = false;
  document.addEventListener('pointerdown', () => { byPointer = true; }, true);
  document.addEventListener('keydown', () => { byPointer = false; }, true);
  document.addEventListener('change', (event) => {
    if (byPointer && event.target.type !== 'search') event.target.blur();
  });
}

/** Fill the help with the table above. */
export function renderHelp(root) {
  const groups = new Map();
  for (const binding of BINDINGS) {
    if (!groups.has(binding.group)) {
      const section = document.createElement('section');
      const title = document.createElement('h3');
      title.textContent = binding.group;
      const list = document.createElement('dl');
      section.append(title, list);
      groups.set(binding.group, list);
      root.append(section);
    }
    const term = document.createElement('dt');
    for (const key of binding.show || binding.keys) {
      const node = document.createElement('kbd');
      node.textContent = NAMES[key] || key;
      term.append(node, ' ');
    }
    const text = document.createElement('dd');
    text.textContent = binding.text;
    groups.get(binding.group).append(term, text);
  }
}
