/** The server's routes, as functions that give json or throw ApiError. */

/** What went wrong, in words for the reviewer; status 0: no answer. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (reason) {
    if (reason.name === 'AbortError') throw reason;
    throw new ApiError(
      'The review server does not answer. Is it still running?', 0);
  }
  if (!response.ok) throw await toError(response);
  return response;
}

async function toError(response) {
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error || message;
  } catch {
    // Not ours: a proxy or a crash; the status has to do.
  }
  return new ApiError(message, response.status);
}

async function getJson(path, options) {
  return (await request(path, options)).json();
}

function post(path, body) {
  return getJson(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export const api = {
  summary: () => getJson('/api/summary'),

  /** Rows of the list; query holds sort, order, filters, offset, limit. */
  tracks: (query) => getJson(`/api/tracks?${new URLSearchParams(query)}`),

  track: (id) => getJson(`/api/tracks/${id}`),

  /** Run lengths of frames start ... stop - 1 of one source. */
  masks: (id, source, start, stop) => getJson(
    `/api/tracks/${id}/masks?${new URLSearchParams({ source, start, stop })}`),

  /** Encoded picture; width in pixels asks for a smaller one. */
  frame: async (video, t, width) => {
    const query = width ? `?width=${width}` : '';
    return (await request(`/api/frames/${video}/${t}.jpg${query}`)).blob();
  },

  decide: (decision) => post('/api/decisions', decision),

  undo: () => post('/api/undo', {}),
};
