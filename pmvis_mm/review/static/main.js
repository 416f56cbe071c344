/** Puts the parts together: state, what the controls do, what they show. */

import { api } from './api.js';
import { Compare } from './compare.js';
import { SPEEDS, bindControls, makeActions } from './controls.js';
import { Decider } from './decisions.js';
import { bindKeys, renderHelp } from './keys.js';
import { TrackList } from './list.js';
import { MEASURES } from './measures.js';
import { Media } from './media.js';
import {
  fillSelect, makeFacts, makeLaneNames, makeStatusButtons,
  markStatusButton, node, setText, showCounts, showFailure, showFrame,
  showTrack,
} from './panels.js';
import { Player } from './player.js';
import { Strip } from './strip.js';

const SETTLE = 120; // ms: tracks that one hurries past are not loaded

class Page {
  constructor() {
    this.track = null;
    this.range = null;
    this.summary = null;
    this.query = { sort: 'suspicion', order: 'desc', status: 'open',
      category: '', search: '' };
    this.media = new Media();
    this.player = new Player({ canvas: node('player'),
      note: node('frame-note'), error: node('frame-error') },
    this.media, () => this.showPlayer());
    this.compare = new Compare(node('compare'), this.media,
      (source) => this.choose(source));
    this.strip = new Strip(node('strip'), {
      onSeek: (t) => { this.player.pause(); this.player.seek(t); },
      onRange: (range) => this.setRange(range) });
    this.list = new TrackList({ list: node('list'), rows: node('rows'),
      foot: node('list-foot') }, {
      onOpen: (row) => this.openSoon(row.id),
      onError: (error) => showFailure('The list cannot be loaded.', error) });
    this.decider = new Decider((answer) => this.afterDecision(answer));
  }

  // ------------------------------------------------------------- loading
  async start() {
    makeLaneNames();
    makeFacts();
    makeStatusButtons((status) => this.filter({ status }));
    this.fillSelects();
    bindControls(this);
    bindKeys(makeActions(this));
    renderHelp(node('help-keys'));
    const [, wanted] = location.hash.match(/^#track=(\d+)$/) || [];
    try {
      // Both at once: neither needs the other.
      const [summary] = await Promise.all(
        [api.summary(), this.reload(!wanted)]);
      this.setSummary(summary);
      if (wanted) await this.openTrack(Number(wanted));
      if (wanted) this.list.select(Number(wanted));
    } catch (error) {
      showFailure('The review cannot be loaded.', error);
    }
    document.body.dataset.ready = 'true';
  }

  fillSelects() {
    const sorts = Object.entries(MEASURES).map(
      ([name, { label }]) => [name, label]);
    fillSelect(node('sort'), [...sorts, ['video', 'Video'],
      ['id', 'Track id']]);
    fillSelect(node('category'), [['', 'All']]);
    fillSelect(node('fps'), SPEEDS.map((fps) => [fps, `${fps} frames/s`]));
    node('fps').value = this.player.fps;
    fillSelect(node('choose'), [['', '–']]);
    this.showOrder();
  }

  setSummary(summary) {
    this.summary = summary;
    document.title = summary.title;
    node('title').textContent = summary.title;
    node('saved').textContent = `Decisions go to ${summary.decisions_path}`;
    node('saved').title = summary.decisions_path;
    fillSelect(node('category'), [['', 'All'],
      ...Object.entries(summary.categories)]);
    showCounts(summary.counts, summary.num_tracks);
  }

  /** Load the list anew and, if wanted, open its first track. */
  async reload(openFirst = true) {
    markStatusButton(this.query.status);
    this.showOrder();
    try {
      const fresh = await this.list.load({ ...this.query });
      if (!fresh) return;
      if (openFirst && this.list.total) await this.list.open(0);
      else if (openFirst) this.closeTrack();
      else if (this.track) this.list.select(this.track.id);
    } catch (error) {
      showFailure('The list cannot be loaded.', error);
    }
  }

  filter(change) {
    Object.assign(this.query, change);
    return this.reload();
  }

  /** Open at once, or a moment later if another was opened just now. */
  openSoon(id) {
    clearTimeout(this.timer);
    this.wanted = id; // from now on a key decides nothing about the old one
    const hurried = performance.now() - (this.openedAt || 0) < SETTLE;
    this.openedAt = performance.now();
    if (!hurried) return this.openTrack(id);
    this.timer = setTimeout(() => this.openTrack(id), SETTLE);
    return null;
  }

  async openTrack(id) {
    clearTimeout(this.timer);
    this.wanted = id;
    if (this.track && this.track.id === id) return;
    try {
      const track = await api.track(id);
      if (this.wanted !== id) return; // another one was opened meanwhile
      await this.setTrack(track);
    } catch (error) {
      if (this.wanted !== id) return;
      this.closeTrack();
      showFailure(`Track ${id} cannot be loaded.`, error);
    }
  }

  setTrack(track) {
    this.player.pause();
    this.track = track;
    this.range = null;
    history.replaceState(null, '', `#track=${track.id}`);
    node('empty').hidden = true;
    this.compare.setTrack(track);
    const names = track.sources.map((name, i) => [name, `${i + 1} ${name}`]);
    fillSelect(node('choose'), [['', 'source …'], ...names]);
    const shown = node('show').value;
    fillSelect(node('show'), [['result', 'the result'],
      ['final', 'final labels'], ...track.sources.map((n) => [n, n])]);
    const keep = ['final', ...track.sources].includes(shown);
    this.player.options.show = keep ? shown : 'result';
    node('show').value = this.player.options.show;
    this.showHead();
    this.showRange();
    const shownSoon = this.player.setTrack(track, this.compare.sources);
    this.strip.update({ track, t: this.player.t, range: null });
    return shownSoon;
  }

  closeTrack() {
    this.track = null;
    this.wanted = null;
    this.player.clear();
    this.compare.root.replaceChildren();
    this.compare.track = null;
    this.strip.update({ track: null, t: 0, range: null });
    node('track-name').textContent = 'No track';
    for (const id of ['track-status', 'track-measures', 'neighbours']) {
      node(id).replaceChildren();
    }
    node('frame-facts').hidden = true;
    node('empty').hidden = false;
    node('empty').textContent = this.list.total ? 'No track is open.'
      : 'No track fits these filters. Choose “All” or clear the search.';
    this.showRange();
  }

  // ------------------------------------------------------------- showing
  showHead() {
    showTrack(this.track,
      (id) => { this.list.select(id); this.openTrack(id); });
  }

  /** After another frame is on the screen. */
  showPlayer() {
    const { player, track } = this;
    setText(node('play'), player.playing ? '❚❚ Pause' : '▶ Play');
    // Between two tracks the player still has a frame of the old one.
    if (!track || player.presented !== track) return;
    showFrame(track, player.t);
    this.strip.update({ track, t: player.t, range: this.range });
    const { opacity, contour } = player.options;
    this.compare.show(player.t, { opacity, contour });
  }

  showOrder() {
    const up = this.query.order === 'asc';
    node('order').textContent = up ? '↑' : '↓';
    node('order').title = up ? 'Lowest first' : 'Highest first';
    node('order').setAttribute('aria-label',
      `Order: ${up ? 'lowest' : 'highest'} first`);
  }

  setRange(range) {
    this.range = range;
    this.player.range = range;
    this.showRange();
    this.strip.update({ track: this.track, t: this.player.t, range });
  }

  showRange() {
    const { range } = this;
    const kept = !range && this.track && this.track.status === 'changed';
    node('scope').textContent = range
      ? `for frames ${range[0] + 1}–${range[1] + 1} only`
      : 'for the whole track';
    node('scope').classList.toggle('marked', range !== null);
    node('unmark').hidden = range === null;
    // Decisions about a range stay with the track.
    node('advance-label').hidden = range !== null;
    node('accept').firstElementChild.textContent =
      kept ? 'Keep changes' : 'Accept';
    for (const id of ['accept', 'reject', 'choose', 'clear']) {
      node(id).disabled = !this.track;
    }
  }

  setOption(name, value) {
    this.player.options[name] = value;
    const input = node(name);
    if (input.type === 'checkbox') input.checked = value;
    else input.value = name === 'opacity' ? Math.round(100 * value) : value;
    if (!this.player.presented) return;
    this.player.draw();
    this.showPlayer();
  }

  // ----------------------------------------------------------- decisions
  async decide(action, source) {
    const { track, range } = this;
    const seen = this.player.presented === track && this.wanted === track?.id;
    if (!track || !seen || this.decider.busy) return;
    this.player.pause();
    const decision = { track: track.id, action };
    if (source) decision.source = source;
    if (range) decision.frames = range;
    const saved = await this.decider.decide(decision);
    if (!saved || this.track !== track) return;
    if (range) this.setRange(null);
    else if (action === 'accept' || action === 'reject') await this.advance();
  }

  /** Accepting a track with changes keeps them; they are saved already. */
  accept() {
    if (!this.track) return null;
    if (this.track.status === 'changed' && !this.range) return this.advance();
    return this.decide('accept');
  }

  choose(source) {
    if (source === 'final') return this.decide('clear');
    return this.decide('choose', source);
  }

  async undo() {
    this.player.pause();
    await this.decider.undo();
  }

  async advance() {
    if (node('advance').checked) await this.openNext();
  }

  async openNext() {
    try {
      const found = await this.list.openNext();
      if (!found) {
        node('saved').textContent = 'No open track is left in this list.';
      }
    } catch (error) {
      showFailure('The next track cannot be loaded.', error);
    }
  }

  async afterDecision(answer) {
    const { track: id, status } = answer;
    if (this.track && this.track.id === id) {
      this.track.status = status;
      answer.decisions.forEach((decision, t) => {
        this.track.frames[t].decision = decision;
      });
      this.showHead();
      this.showRange();
      this.player.draw();
      this.showPlayer();
    } else {
      await this.openTrack(id); // undone: show what has changed
      this.list.select(id);
    }
    showCounts(answer.counts, this.summary.num_tracks);
    await this.list.update(id, status);
    if (this.list.current < 0) this.list.select(id); // it was loaded anew
  }
}

new Page().start();
