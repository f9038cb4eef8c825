"""HTTP only: routes, media types, status codes, a line in the log for each request. Contract S4, S6 to S10, S18."""

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
from recommender.pipeline.recommender import Recommendations, Recommender
from recommender.sagemaker.server_environment import MEDIA_TYPE_ALIASES, MediaType, ServerSettings
from recommender.service.media import Answer, Question, as_json, read, write
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
    """The WSGI application around a loaded recommender.

    Args:
        recommender: answers the questions.
        settings: of the server.
        turn: entered for each answer; a server whose worker handles many connections can see to it here
            that they take turns.
    """
    app = Flask(__name__)
    # One more than allowed: a chunked body has no length, it is known to be too long when that much was read.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1

    @app.get("/ping")
    def ping() -> Response:
        # The model is loaded before the server listens, so to be asked is to be ready.
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
    asked_in = _content_type()
    answered_in = _accepted(settings.accept or asked_in)
    body = request.get_data()
    if len(body) > settings.max_body_bytes:
        raise RequestEntityTooLarge
    asked = read(body, asked_in)
    if not settings.is_batch:
        check_work(asked.questions)
    g.questions = asked.questions
    answers: Iterable[Answer] = _answers(recommender, turn, asked.questions)
    if asked.is_single:  # what becomes of it is the status of the whole
        alone = [question for question in asked.questions if isinstance(question, RecommendRequest)]
        answers = [_answer(recommender, turn, question) for question in alone]
    kind = MediaType.of(answered_in) or MediaType.JSON
    return Response(write(answers, kind, is_single=asked.is_single), mimetype=answered_in)


def _content_type() -> MediaType:
    kind = MediaType.of(request.mimetype)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if kind is None or charset not in ("utf-8", "utf8"):
        got = request.headers.get("Content-Type") or "none"
        raise UnsupportedMediaType(f"Content-Type: expected {TYPES}, in UTF-8, got {shown(got)}")
    return kind


def _accepted(default: str) -> str:
    """The media type to answer in, by the name that the client has for it; `default` where it takes any."""
    if not request.accept_mimetypes:
        return default
    # Of types that are as welcome the first one counts.
    best = request.accept_mimetypes.best_match(dict.fromkeys([default, *MediaType, *MEDIA_TYPE_ALIASES]))
    if best is None:
        raise NotAcceptable(f"Accept: this endpoint answers {TYPES}, got {shown(request.headers['Accept'])}")
    return best


def _answer(recommender: Recommender, turn: Turn, question: RecommendRequest) -> Recommendations:
    with turn():
        return recommender.recommend(
            question.user_id,
            question.events,
            top_k=question.top_k,
            num_candidates=question.candidates,
            exclude_seen=question.exclude_seen,
        )


def _answers(recommender: Recommender, turn: Turn, questions: Sequence[Question]) -> Iterator[Answer]:
    """One for each question, whatever becomes of the others."""
    for question in questions:
        if isinstance(question, RequestError):
            yield question
            continue
        try:
            yield _answer(recommender, turn, question)
        except RequestError as error:
            yield error
        except Exception as error:
            log.error("failed to answer a record of a request", exc_info=error)
            yield RequestError("", INTERNAL)


def _begin() -> None:
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    """Give back what the caller wants back (contract S9), and leave a line in the log when all is sent."""
    attributes = request.headers.get(CUSTOM_ATTRIBUTES, "")
    if attributes and len(attributes) <= MAX_CUSTOM_ATTRIBUTES and attributes.isascii() and attributes.isprintable():
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    level = logging.DEBUG if request.path == "/ping" else logging.INFO  # asked every few seconds
    if log.isEnabledFor(level):
        line = {"method": request.method, "path": request.path, "status": response.status_code, **_asked()}
        began = g.began
        response.call_on_close(lambda: log.log(level, "%s", json.dumps({**line, "ms": _milliseconds_since(began)})))
    return response


def _asked() -> dict[str, Any]:
    """Of whom and how much was asked, and the name that the caller gave to it."""
    questions: Sequence[Question] = g.get("questions", ())
    asked: dict[str, Any] = {"records": len(questions)} if questions else {}
    if len(questions) == 1 and isinstance(questions[0], RecommendRequest):
        asked["user_id"] = questions[0].user_id
    inference_id = request.headers.get(INFERENCE_ID)
    return asked | ({"inference_id": inference_id[:MAX_INFERENCE_ID]} if inference_id else {})


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def refuse(error: RequestError) -> Response:
    """The answer to a bad request."""
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
    log.error("failed to answer %s %s", request.method, request.path, exc_info=error)
    return _json(as_json(RequestError("", INTERNAL)), 500)
