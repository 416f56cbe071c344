/**
 * The list of tracks: only visible rows are in the page, and rows are
 * fetched in pages while one scrolls.
 *
 * A track that leaves the filter by a decision keeps its row until the
 * filter changes, so that nothing moves below the reviewer's hands. The
 * server no longer counts such rows, which is why offsets are corrected.
 */

import { api } from './api.js';
import { Cache } from './cache.js';
import { MEASURES, format, isSuspicious, statusBadge } from './measures.js';

const ROW = 54; // height, CSS pixels, as in review.css
const PAGE = 100;
const PAGES = 40;
const EXTRA = 6; // rows above and below the visible ones

export class TrackList {
  /**
   * @param {object} nodes list, rows, foot.
   * @param {object} events onOpen(row), onError(error).
   */
  constructor(nodes, { onOpen, onError }) {
    Object.assign(this, nodes, { onOpen, onError });
    this.query = {};
    this.total = 0;
    this.current = -1;
    this.version = 0;
    this.forget();
    this.list.addEventListener('scroll', () => this.renderSoon());
    this.rows.addEventListener('click', (event) => {
      const row = event.target.closest('.row');
      if (row) this.open(Number(row.dataset.index));
    });
    new ResizeObserver(() => this.renderSoon()).observe(this.list);
  }

  forget() {
    this.version++;
    this.pages = new Cache(PAGES);
    this.left = new Map(); // rows by index that the server filters out now
    this.where = new Map(); // index by id of all rows seen
    this.shown = new Map(); // elements by index
    this.rows.replaceChildren();
  }

  /** Show other rows; the first page is there when the promise resolves. */
  async load(query) {
    this.query = query;
    this.current = -1;
    this.forget();
    const { version } = this;
    this.list.setAttribute('aria-busy', 'true');
    await this.fetchPage(0);
    if (version !== this.version) return false;
    this.list.scrollTop = 0;
    this.list.setAttribute('aria-busy', 'false');
    this.render();
    return true;
  }

  fetchPage(number) {
    const { version } = this;
    return this.pages.load(`${version}/${number}`, async () => {
      const start = number * PAGE;
      const kept = Array.from(this.left.keys());
      const before = kept.filter((i) => i < start).length;
      const within = kept.filter((i) => i >= start && i < start + PAGE);
      const answer = await api.tracks({ ...this.query,
        offset: start - before, limit: PAGE - within.length });
      if (version !== this.version) return [[], 0];
      if (kept.length !== this.left.size) {
        // A decision came in between: the answer may be shifted by one.
        return this.fetchAgain(number);
      }
      const rows = answer.rows.slice();
      within.sort((a, b) => a - b);
      within.forEach((i) => rows.splice(i - start, 0, this.left.get(i)));
      rows.forEach((row, i) => this.where.set(row.id, start + i));
      this.total = answer.total + this.left.size;
      return [rows, 1];
    });
  }

  async fetchAgain(number) {
    this.pages.pending.delete(`${this.version}/${number}`);
    return [await this.fetchPage(number), 1];
  }

  /** The row if it has been fetched. */
  rowAt(index) {
    const page = this.pages.get(`${this.version}/${Math.floor(index / PAGE)}`);
    return page && page[index % PAGE];
  }

  async fetchRow(index) {
    const page = await this.fetchPage(Math.floor(index / PAGE));
    return page[index % PAGE];
  }

  /** Select a row, bring it into view and open its track. */
  async open(index) {
    if (!this.total) return;
    const { version } = this;
    const goal = Math.max(0, Math.min(this.total - 1, index));
    this.current = goal;
    this.reveal(goal);
    this.render();
    try {
      const row = await this.fetchRow(goal);
      if (version === this.version && goal === this.current) this.onOpen(row);
    } catch (error) {
      this.onError(error);
    }
  }

  move(by) {
    return this.open(this.current + by);
  }

  /** Go to the first open track after the current one, else before it. */
  async openNext() {
    const { version, total } = this;
    for (let d = 1; d <= total; d++) {
      const index = (this.current + d) % total;
      const row = await this.fetchRow(index);
      if (version !== this.version) return true;
      if (row && row.status === 'open') {
        await this.open(index);
        return true;
      }
    }
    return false;
  }

  /** Mark the row of a track that was opened in another way. */
  select(id) {
    this.current = this.where.has(id) ? this.where.get(id) : this.current;
    this.reveal(this.current);
    this.render();
  }

  /** Tell of a new status; resolves when the list is right again. */
  async update(id, status) {
    const { status: filter } = this.query;
    const index = this.where.get(id);
    if (index === undefined) {
      // Where it stood is unknown, so all offsets behind it are.
      if (filter !== 'all') await this.load(this.query);
      return;
    }
    const row = this.rowAt(index) || this.left.get(index);
    if (!row) {
      if (filter !== 'all') await this.load(this.query);
      return;
    }
    row.status = status;
    if (filter === 'all' || filter === status) this.left.delete(index);
    else this.left.set(index, row);
    this.drop(index);
    this.render();
  }

  reveal(index) {
    const top = index * ROW;
    const { scrollTop, clientHeight } = this.list;
    // The spacer must be high enough before one can scroll down to it.
    this.rows.style.height = `${this.total * ROW}px`;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) {
      this.list.scrollTop = top + ROW - clientHeight;
    }
  }

  renderSoon() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.render();
    });
  }

  render() {
    this.rows.style.height = `${this.total * ROW}px`;
    const first = Math.floor(this.list.scrollTop / ROW);
    const visible = Math.ceil(this.list.clientHeight / ROW);
    const from = Math.max(0, first - EXTRA);
    const to = Math.min(this.total, first + visible + EXTRA);
    for (const index of Array.from(this.shown.keys())) {
      if (index < from || index >= to) this.drop(index);
    }
    for (let index = from; index < to; index++) this.show(index);
    this.list.setAttribute('aria-activedescendant', `row-${this.current}`);
    const last = Math.min(this.total, first + visible);
    this.foot.textContent = this.total
      ? `${first + 1}–${last} of ${this.total} tracks` : 'No track fits.';
  }

  drop(index) {
    const element = this.shown.get(index);
    if (element) element.remove();
    this.shown.delete(index);
  }

  show(index) {
    const row = this.rowAt(index);
    let element = this.shown.get(index);
    if (!element || (row && !element.dataset.id)) {
      this.drop(index);
      element = row ? this.makeRow(row) : placeholder();
      element.dataset.index = index;
      element.id = `row-${index}`;
      element.style.transform = `translateY(${index * ROW}px)`;
      element.setAttribute('aria-posinset', index + 1);
      element.setAttribute('aria-setsize', this.total);
      this.shown.set(index, element);
      this.rows.append(element);
      if (!row) this.fetchForShow(index);
    }
    element.setAttribute('aria-selected', String(index === this.current));
  }

  fetchForShow(index) {
    const { version } = this;
    this.fetchPage(Math.floor(index / PAGE)).then(() => {
      if (version === this.version) this.renderSoon();
    }, this.onError);
  }

  makeRow(row) {
    const element = document.createElement('div');
    element.className = 'row';
    element.dataset.id = row.id;
    element.setAttribute('role', 'option');
    const name = part('name', row.video_name);
    name.title = row.video_name;
    const line = part('line');
    line.append(name, statusBadge(row.status));
    const facts = part('line soft');
    const masks = `${row.num_masks}/${row.num_boxes} masks`;
    facts.append(part('what', `#${row.id} ${row.category} · ${masks}`),
      this.measure(row));
    element.append(line, facts);
    return element;
  }

  /** A bar of the measure by which the list is sorted. */
  measure(row) {
    const key = MEASURES[this.query.sort] ? this.query.sort : 'suspicion';
    const value = row[key];
    const bar = part('meter');
    const fill = document.createElement('i');
    const share = Math.min(1, (value || 0) / MEASURES[key].full);
    fill.style.width = `${100 * share}%`;
    fill.classList.toggle('bad', isSuspicious(key, value));
    bar.append(fill);
    const box = part('measure');
    box.title = MEASURES[key].hint;
    box.append(bar, part('value', format(value)));
    return box;
  }
}

function part(className, text = '') {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = text;
  return element;
}

function placeholder() {
  const element = part('row loading', 'loading …');
  element.setAttribute('role', 'option');
  return element;
}
