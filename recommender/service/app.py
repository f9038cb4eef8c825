"""HTTP only: routes, media types, status codes and one log line per request. Contract S4, S6 to S10, S18."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, NotAcceptable, RequestEntityTooLarge, UnsupportedMediaType

from recommender.common.messages import shown
from recommender.errors import RequestError
from recommender.pipeline.recommendations import Recommendations
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, MediaType, ServerSettings
from recommender.service.media import Record, Result, as_json, read, write
from recommender.service.requests import RecommendRequest, check_work

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
MAX_CUSTOM_ATTRIBUTES, MAX_INFERENCE_ID = 1_024, 64  # characters (contract S8)
TYPES = ", ".join(MediaType)
PATHS = "GET /ping, POST /invocations and GET /execution-parameters"
DEFAULTS = ServerSettings()
INTERNAL = "internal error; the server's log has the details"

Turn = Callable[[], AbstractContextManager[None]]

log = logging.getLogger("recommender.requests")


def create_app(recommender: Recommender, settings: ServerSettings = DEFAULTS, turn: Turn = nullcontext) -> Flask:
    """Return the WSGI application around a loaded recommender.

    Args:
        recommender: makes the recommendations.
        settings: the settings of the server.
        turn: entered while one recommendation is made. A worker with many connections can use it to let them
            take turns.
    """
    app = Flask(__name__)
    # One more than allowed: a chunked body has no length, so it is too long once that much has been read.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1

    @app.get("/ping")
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
        return _invoke(recommender, settings, turn)

    def too_large(_: RequestEntityTooLarge) -> Response:
        return _json(as_json(RequestError("", f"body: expected at most {settings.max_body_bytes} bytes")), 413)

    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(RequestError, refuse)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RequestEntityTooLarge, too_large)
    app.register_error_handler(Exception, _bug)
    return app


def _invoke(recommender: Recommender, settings: ServerSettings, turn: Turn) -> Response:
    request_type = _content_type()
    response_type = _accepted(settings.accept or request_type)
    body = request.get_data()
    if len(body) > settings.max_body_bytes:
        raise RequestEntityTooLarge
    parsed = read(body, request_type)
    if not settings.is_batch:
        check_work(parsed.records)
    g.records = parsed.records
    results: Iterable[Result] = _results(recommender, turn, parsed.records)
    if parsed.is_single:  # an error of the only record is the error of the request
        valid = [record for record in parsed.records if isinstance(record, RecommendRequest)]
        results = [_recommend(recommender, turn, record) for record in valid]
    kind = MediaType.of(response_type) or MediaType.JSON
    return Response(write(results, kind, is_single=parsed.is_single), mimetype=response_type)


def _content_type() -> MediaType:
    kind = MediaType.of(request.mimetype)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if kind is None or charset not in ("utf-8", "utf8"):
        got = request.headers.get("Content-Type") or "none"
        raise UnsupportedMediaType(f"Content-Type: expected {TYPES}, in UTF-8, got {shown(got)}")
    return kind


def _accepted(default: str) -> str:
    """Return the media type of the response, by the client's name for it; `default` if the client accepts any."""
    if not request.accept_mimetypes:
        return default
    # Of types that the client likes equally, the first one wins.
    best = request.accept_mimetypes.best_match(dict.fromkeys([default, *MediaType, *MEDIA_TYPE_ALIASES]))
    if best is None:
        raise NotAcceptable(f"Accept: expected {TYPES}, got {shown(request.headers['Accept'])}")
    return best


def _recommend(recommender: Recommender, turn: Turn, record: RecommendRequest) -> Recommendations:
    with turn():
        return recommender.recommend(
            record.user_id,
            record.events,
            top_k=record.top_k,
            num_candidates=record.candidates,
            exclude_seen=record.exclude_seen,
        )


def _results(recommender: Recommender, turn: Turn, records: Sequence[Record]) -> Iterator[Result]:
    """Yield one result for each record; an error of one record does not affect the others."""
    for record in records:
        if isinstance(record, RequestError):
            yield record
            continue
        try:
            yield _recommend(recommender, turn, record)
        except RequestError as error:
            yield error
        except Exception as error:
            log.error("failed to process a record of a request", exc_info=error)
            yield RequestError("", INTERNAL)


def _begin() -> None:
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    """Return the client's custom attributes to it (contract S9); log the request when the response is sent."""
    attributes = request.headers.get(CUSTOM_ATTRIBUTES, "")
    if attributes and len(attributes) <= MAX_CUSTOM_ATTRIBUTES and attributes.isascii() and attributes.isprintable():
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    level = logging.DEBUG if request.path == "/ping" else logging.INFO  # requested every few seconds
    if log.isEnabledFor(level):
        line = {"method": request.method, "path": request.path, "status": response.status_code, **_log_fields()}
        began = g.began
        response.call_on_close(lambda: log.log(level, "%s", json.dumps({**line, "ms": _milliseconds_since(began)})))
    return response


def _log_fields() -> dict[str, Any]:
    """Return the number of records, the user ID of a single record and the client's inference ID, for the log."""
    records: Sequence[Record] = g.get("records", ())
    logged: dict[str, Any] = {"records": len(records)} if records else {}
    if len(records) == 1 and isinstance(records[0], RecommendRequest):
        logged["user_id"] = records[0].user_id
    inference_id = request.headers.get(INFERENCE_ID)
    return logged | ({"inference_id": inference_id[:MAX_INFERENCE_ID]} if inference_id else {})


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def refuse(error: RequestError) -> Response:
    """Return the response to an invalid request, with status 400."""
    return _json(as_json(error), 400)


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype=MediaType.JSON)


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    response = _json(as_json(RequestError("", _DESCRIPTIONS.get(code) or str(error.description))), code)
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
