"""The server of the label review page, for one person on this machine."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional
from urllib.parse import urlsplit

from ..utils.errors import ConfigError, PMVISError, ReviewError
from ..utils.fileio import PathLike
from .decisions import STATUSES
from .frames import frame_jpeg
from .review_index import SORT_COLUMNS
from .session import ReviewSession

if TYPE_CHECKING:
    from flask import Flask

STATIC = Path(__file__).parent / 'static'
MAX_ROWS = 1000
# Names of this machine. A page elsewhere whose name was made to point here
# (DNS rebinding) asks for another one.
LOCAL = ('127.0.0.1', 'localhost')


def create_app(
    index_path: PathLike,
    decisions_path: PathLike,
    img_prefix: Optional[PathLike] = None,
) -> 'Flask':
    """Make the web application of a label review.

    Args:
        index_path (str | Path): What
            :func:`~pmvis_mm.review.index.build_index` wrote.
        decisions_path (str | Path): Review json, read if it exists and
            saved after every decision.
        img_prefix (str | Path, optional): Folder or URL of the frames, if
            not that of the index.

    Returns:
        flask.Flask: The application.

    Raises:
        ConfigError: If Flask is not installed.
        ReviewError: If index or decisions are malformed or do not belong
            together.
    """
    flask = _import_flask()
    session = ReviewSession(index_path, decisions_path)
    if img_prefix is not None:
        session.index.img_prefix = str(img_prefix)
    app = flask.Flask('pmvis_mm.review', static_folder=str(STATIC))
    app.json.sort_keys = False
    app.json.compact = True
    _add_pages(app, flask)
    _add_reading(app, flask, session)
    _add_frames(app, flask, session)
    _add_deciding(app, flask, session)
    return app


def _import_flask() -> Any:
    try:
        import flask
    except ImportError:
        raise ConfigError(
            'the label review needs Flask, which is not installed',
            fix='pip install pmvis_mm[optional]',
        ) from None
    return flask


def _add_pages(app: 'Flask', flask: Any) -> None:
    @app.get('/')
    def index() -> Any:
        return app.send_static_file('index.html')

    @app.before_request
    def refuse_other_sites() -> Any:
        origin = flask.request.headers.get('Origin')
        if flask.request.method == 'GET' or origin is None:
            return None
        if urlsplit(origin).netloc == flask.request.host:
            return None
        error = ReviewError(
            f'the page {origin} may not decide here',
            fix='open the address that the server prints',
        )
        return flask.jsonify(error=str(error)), 403

    @app.errorhandler(PMVISError)
    def explain(error: PMVISError) -> Any:
        return flask.jsonify(error=str(error)), 400

    @app.after_request
    def keep_fresh(response: Any) -> Any:
        if 'Cache-Control' not in response.headers:
            response.headers['Cache-Control'] = 'no-cache'
        return response


def _add_reading(app: 'Flask', flask: Any, session: ReviewSession) -> None:
    @app.get('/api/summary')
    def summary() -> Any:
        return session.summary()

    @app.get('/api/tracks')
    def tracks() -> Any:
        return _find_tracks(session, flask.request.args)

    @app.get('/api/tracks/<int(signed=True):key>')
    def track(key: int) -> Any:
        return session.track(key)

    @app.get('/api/tracks/<int(signed=True):key>/masks')
    def masks(key: int) -> Any:
        args = flask.request.args
        return session.masks(
            key,
            args.get('source', 'final'),
            _integer(args, 'start', 0) or 0,
            _integer(args, 'stop', None),
        )


def _add_frames(app: 'Flask', flask: Any, session: ReviewSession) -> None:
    @app.get('/api/frames/<int(signed=True):video>/<int:t>.jpg')
    def frame(video: int, t: int) -> Any:
        width = _integer(flask.request.args, 'width', None, 1)
        try:
            jpeg = frame_jpeg(
                session.index.video(video), t, session.index.img_prefix, width
            )
        except PMVISError as error:
            return flask.jsonify(error=str(error)), 404
        response = flask.Response(jpeg, mimetype='image/jpeg')
        # Another review may be shown at this address tomorrow.
        response.add_etag()
        return response.make_conditional(flask.request)


def _add_deciding(app: 'Flask', flask: Any, session: ReviewSession) -> None:
    @app.get('/api/decisions')
    def decisions() -> Any:
        return session.log.to_json()

    @app.post('/api/decisions')
    def decide() -> Any:
        # Pages of other sites cannot send this content type unasked.
        entry = flask.request.get_json(silent=True)
        if entry is None:
            raise ReviewError(
                'a decision should come as application/json',
                fix='send {"track": ID, "action": ...}',
            )
        return session.decide(entry)

    @app.post('/api/undo')
    def undo() -> Any:
        return session.undo()


def _find_tracks(session: ReviewSession, args: Mapping[str, str]) -> Any:
    sort = _choice(args, 'sort', 'suspicion', SORT_COLUMNS)
    order = _choice(args, 'order', 'desc', ('desc', 'asc'))
    return session.index.find_tracks(
        dict(session.statuses),  # others may decide meanwhile
        _integer(args, 'offset', 0) or 0,
        min(_integer(args, 'limit', 100) or 0, MAX_ROWS),
        sort,
        order == 'desc',
        _integer(args, 'category', None, None),
        _choice(args, 'status', 'all', ('all', *STATUSES)),
        args.get('search', ''),
    )


def _integer(
    args: Mapping[str, str],
    name: str,
    default: Optional[int],
    least: Optional[int] = 0,
) -> Optional[int]:
    text = args.get(name, '')
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = None  # type: ignore[assignment]
    if value is None or (least is not None and value < least):
        raise ReviewError(
            f'{name}={text!r} is no number that makes sense here',
            fix='give a whole number'
            + ('' if least is None else f' of at least {least}'),
        )
    return value


def _choice(
    args: Mapping[str, str], name: str, default: str, allowed: Any
) -> str:
    value = args.get(name) or default
    if value not in allowed:
        raise ReviewError(
            f'unknown {name}={value!r}', fix=f'choose from {list(allowed)}'
        )
    return value


def serve(app: 'Flask', host: str = '127.0.0.1', port: int = 8710) -> Any:
    """Start listening.

    Args:
        app (flask.Flask): See :func:`create_app`.
        host (str): Address. Anyone who reaches it can see the frames and
            decide. Defaults to '127.0.0.1', this machine alone.
        port (int): Port; 0 for a free one. Defaults to 8710.

    Returns:
        werkzeug.serving.BaseWSGIServer: A server with ``port``; call
        ``serve_forever()``.

    Raises:
        ConfigError: If the address is taken or not of this machine.
    """
    from werkzeug.serving import make_server

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, OverflowError) as reason:
            raise ConfigError(
                f'cannot listen on {host}:{port} ({reason})',
                fix='give another --port, or 0 for any free one',
            ) from None
        if host in LOCAL:
            app.config['TRUSTED_HOSTS'] = list(LOCAL)
        # The server works on a copy of this descriptor.
        listening.listen(128)
        return make_server(
            host, port, app, threaded=True, fd=listening.fileno()
        )
