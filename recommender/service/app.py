"""The HTTP part of the server: routes, media types, status codes, log lines (contract S4, S6 to S10, S18)."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, NotAcceptable, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import parse_options_header

from recommender.common.messages import shown
from recommender.errors import RequestError
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Recommendations
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, PING, MediaType, ServerSettings
from recommender.service.body import read_body
from recommender.service.load import RETRY_AFTER, SMALL, Held, Load
from recommender.service.media import Record, RequestBody, Result, as_json, read, write
from recommender.service.requests import Request, decoded_bytes, within_work_limits

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
MAX_CUSTOM_ATTRIBUTES, MAX_INFERENCE_ID = 1_024, 64  # characters (contract S8)
TYPES = ", ".join(MediaType)
FORM = "application/x-www-form-urlencoded"  # what curl sends by default
PATHS = "GET /ping, POST /invocations and GET /execution-parameters"
DEFAULTS = ServerSettings()
INTERNAL = "internal error; the server's log has the details"
BYTES_PER_VALUE = 12  # minimum bytes of a JSON body per value; an event of a history has 2 values and 15 bytes or more
# Maximum number of JSON values in a real-time request: 4 for an event with all its fields, 20 for a record. Each value
# can have its own key, and the worker does nothing else while it decodes a body.
MAX_VALUES = 4 * LIMITS.max_history_in_all + 20 * LIMITS.max_instances
MAX_MEDIA_TYPES = 1_000  # characters of Content-Type and of Accept; browsers send some 150

log = logging.getLogger("recommender.requests")


def create_app(recommender: Recommender, settings: ServerSettings = DEFAULTS, load: Load | None = None) -> Flask:
    """Return the WSGI application around a loaded recommender.

    Args:
        recommender: makes the recommendations.
        settings: the settings of the server.
        load: limits the work of a worker at the same time.
    """
    app = Flask(__name__)
    app.wsgi_app = _without_upgrade(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap it
    limited = load or Load(settings.max_body_bytes)

    @app.get(PING)
    def ping() -> Response:
        # The model is loaded before the server listens, so a server that gets this request is ready.
        return Response(status=200)

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        return _json(
            {
                "MaxConcurrentTransforms": settings.workers,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": settings.max_payload_in_mb,
            }
        )

    @app.post("/invocations")
    def invocations() -> Response:
        return _invoke(recommender, settings, limited)

    def too_large(_: RequestEntityTooLarge) -> Response:
        return _json(as_json(RequestError("", f"body: expected at most {settings.max_body_bytes} bytes")), 413)

    def begin() -> None:
        g.began, g.held = time.perf_counter(), limited.held()

    app.before_request(begin)
    app.after_request(_end)
    app.register_error_handler(RequestError, refuse)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RequestEntityTooLarge, too_large)
    app.register_error_handler(Exception, _bug)
    return app


def _without_upgrade(app: Callable[[dict[str, Any], Any], Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return an app that ignores a client's wish for another protocol; Flask refuses a WebSocket."""

    def wrapped(environ: dict[str, Any], start_response: object) -> Iterable[bytes]:
        environ.pop("HTTP_UPGRADE", None)
        return app(environ, start_response)

    return wrapped


def _invoke(recommender: Recommender, settings: ServerSettings, load: Load) -> Response:
    request_type = _content_type()
    response_type = _accepted(settings.accept or request_type)
    held: Held = g.held
    body = read_body(request, settings.max_body_bytes, load, held)
    max_values = settings.max_body_bytes // BYTES_PER_VALUE
    if not settings.is_batch:
        max_values = min(max_values, MAX_VALUES)
    with load.turn() if len(body) > SMALL else nullcontext():
        if not settings.is_batch and request_type is not MediaType.CSV:
            held.add(decoded_bytes(body, max_values))
        parsed = read(body, request_type, max_values, None if settings.is_batch else LIMITS.max_instances)
    g.count = parsed.count
    kind = MediaType.of(response_type) or MediaType.JSON
    if settings.is_batch and not parsed.is_single:  # any number of records, so each result is sent at once
        streamed = _results(recommender, load, parsed.records)
        return Response(write(streamed, kind, is_single=False, ends_line=False), mimetype=response_type)
    with load.work(parsed.count):
        results = _all_results(recommender, load, parsed)
        pieces = write(results, kind, is_single=parsed.is_single, ends_line=not settings.is_batch)
        return Response(_within(settings.max_body_bytes, pieces, held), mimetype=response_type)


def _all_results(recommender: Recommender, load: Load, parsed: RequestBody) -> Iterable[Result]:
    """Return the results of a request in real time; all records are parsed before the first is computed."""
    records = list(within_work_limits(_parsed_in_turns(parsed.records, load) if parsed.count > 1 else parsed.records))
    first = records[0] if len(records) == 1 else None
    if isinstance(first, Request):
        g.user_id = first.user
    if not parsed.is_single:
        return _results(recommender, load, records)
    if not isinstance(first, Request):  # an error of the only record is the error of the request
        assert first is not None
        raise first
    return [_recommend(recommender, load, first)]


def _parsed_in_turns(records: Iterator[Record], load: Load) -> Iterator[Record]:
    while True:
        with load.turn():
            record = next(records, None)
        if record is None:
            return
        yield record


def _within(max_bytes: int, pieces: Iterable[bytes], held: Held) -> bytes:
    """Return the body of a real-time response; SageMaker limits its size (contract S7)."""
    body = bytearray()
    for piece in pieces:
        if len(body) + len(piece) > max_bytes:
            raise RequestError("", f"response: more than {max_bytes} bytes: send fewer records or a smaller top_k")
        held.add(len(piece))
        body += piece
    return bytes(body)


def _content_type() -> MediaType:
    given = request.headers.get("Content-Type", "")
    if len(given) > MAX_MEDIA_TYPES:
        raise UnsupportedMediaType(f"Content-Type: expected at most {MAX_MEDIA_TYPES:,} characters, got {len(given):,}")
    kind = MediaType.of(_in_utf_8(given) or "")
    if kind is None:
        hint = f": add -H 'Content-Type: {MediaType.JSON}'" if given.startswith(FORM) else ""
        found = shown(given) if given else "none"
        raise UnsupportedMediaType(f"Content-Type: expected {TYPES}, in UTF-8, got {found}{hint}")
    return kind


def _in_utf_8(media_type: str) -> str | None:
    """Return a media type without its parameters; None if its charset is not UTF-8."""
    name, parameters = parse_options_header(media_type)
    return name if parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8") else None


def _accepted(default: str) -> str:
    """Return the media type of the response, with the client's spelling; `default` if the client accepts any."""
    if (length := len(request.headers.get("Accept", ""))) > MAX_MEDIA_TYPES:
        raise NotAcceptable(f"Accept: expected at most {MAX_MEDIA_TYPES:,} characters, got {length:,}")
    if not request.accept_mimetypes:
        return default
    wanted = MIMEAccept([(_in_utf_8(value) or "", quality) for value, quality in request.accept_mimetypes])
    # Among types with equal quality, the first one wins.
    best = wanted.best_match(dict.fromkeys([default, *MediaType, *MEDIA_TYPE_ALIASES]))
    if best is None:
        raise NotAcceptable(f"Accept: expected {TYPES}, got {shown(request.headers['Accept'])}")
    return best


def _recommend(recommender: Recommender, load: Load, record: Request) -> Recommendations:
    with load.turn():
        return record.respond(recommender, load.pause)


def _results(recommender: Recommender, load: Load, records: Iterable[Record]) -> Iterator[Result]:
    """Yield one result for each record; an error of one record does not affect the others."""
    for record in records:
        if isinstance(record, RequestError):
            yield record
            continue
        try:
            yield _recommend(recommender, load, record)
        except RequestError as error:
            yield error
        except Exception as error:
            log.error("failed to process a record of a request", exc_info=error)
            yield RequestError("", INTERNAL)


def _end(response: Response) -> Response:
    """Add the client's custom attributes to the response (contract S9); log the request when the response is sent."""
    attributes = request.headers.get(CUSTOM_ATTRIBUTES, "")
    if attributes and len(attributes) <= MAX_CUSTOM_ATTRIBUTES and attributes.isascii() and attributes.isprintable():
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    response.call_on_close(g.held.release)
    level = logging.DEBUG if request.path == PING else logging.INFO  # pings come every few seconds
    if log.isEnabledFor(level):
        line = {"method": request.method, "path": request.path, "status": response.status_code, **_log_fields()}
        began = g.began
        response.call_on_close(lambda: log.log(level, "%s", json.dumps({**line, "ms": _milliseconds_since(began)})))
    return response


def _log_fields() -> dict[str, Any]:
    """Return the number of records, the user ID of a single record and the client's inference ID, for the log."""
    logged: dict[str, Any] = {"records": g.count} if "count" in g else {}
    if g.get("user_id") is not None:
        logged["user_id"] = g.user_id
    inference_id = request.headers.get(INFERENCE_ID)
    return logged | ({"inference_id": inference_id[:MAX_INFERENCE_ID]} if inference_id else {})


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def refuse(error: RequestError, status: int = 400) -> Response:
    """Return the response to an invalid request."""
    return _json(as_json(error), status)


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype=MediaType.JSON)


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    response = _json(as_json(RequestError("", _DESCRIPTIONS.get(code) or str(error.description))), code)
    if code == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    if code == 405 and error.response is None:
        response.headers.extend({"Allow": "POST" if request.path == "/invocations" else "GET"})
    return response


_DESCRIPTIONS = {
    404: f"unknown path: this server has {PATHS}",
    405: f"wrong method: this server has {PATHS}",
}


def _bug(error: Exception) -> Response:
    log.error("failed to process %s %s", request.method, request.path, exc_info=error)
    return _json(as_json(RequestError("", INTERNAL)), 500)
