/**
 * Sending decisions: one at a time, each saved by the server before the next
 * may come, so that nothing unsaved exists.
 */

import { api } from './api.js';
import { hideFailure, node, showFailure } from './panels.js';

export class Decider {
  /** @param {function} onSaved Called with the server's answer. */
  constructor(onSaved) {
    this.onSaved = onSaved;
    this.busy = false;
  }

  /**
   * Save a decision.
   * @param {object} decision track, action, and source and frames if any.
   * @returns {Promise<boolean>} Whether it is saved.
   */
  decide(decision) {
    return this.run('Decision NOT saved.', () => api.decide(decision));
  }

  undo() {
    return this.run('Nothing was undone.', () => api.undo());
  }

  /** Keys that come while one is on its way are dropped, not queued: the
   * reviewer has not seen yet what they would decide about. */
  async run(failureTitle, send) {
    if (this.busy) return false;
    this.setBusy(true);
    try {
      const answer = await send();
      hideFailure();
      node('saved').textContent =
        `Saved ${new Date().toLocaleTimeString()}`;
      node('saved').className = 'saved done';
      await this.onSaved(answer);
      return true;
    } catch (error) {
      node('saved').textContent = 'Not saved';
      node('saved').className = 'saved';
      showFailure(failureTitle, error);
      return false;
    } finally {
      this.setBusy(false);
    }
  }

  setBusy(busy) {
    this.busy = busy;
    node('work').setAttribute('aria-busy', String(busy));
  }
}
