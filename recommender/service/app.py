"""HTTP only: routes, media types, status codes. SageMaker's hosting contract, rows S4, S6, S7 and S10."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotAcceptable, RequestEntityTooLarge, UnsupportedMediaType

from recommender.config import SERVE
from recommender.errors import RequestError
from recommender.pipeline import Recommendations, Recommender
from recommender.service.requests import RecommendRequest, check_work, decode, instances
from recommender.validation import shown

JSON = "application/json"

Turn = Callable[[], AbstractContextManager[None]]


def create_app(recommender: Recommender, turn: Turn = nullcontext) -> Flask:
    """The WSGI application around a loaded recommender.

    Args:
        recommender: answers the questions.
        turn: entered for each answer; a server whose worker handles many connections can see to it here
            that they take turns.
    """
    app = Flask(__name__)
    # One more than allowed: a chunked body has no length, it is known to be too long when that much was read.
    app.config["MAX_CONTENT_LENGTH"] = SERVE.max_body_bytes + 1

    @app.get("/ping")
    def ping() -> Response:
        # The model is loaded before the server listens, so to be asked is to be ready.
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        _check_media_types()
        body = request.get_data()
        if len(body) > SERVE.max_body_bytes:
            raise RequestEntityTooLarge
        value = decode(body)
        entries = instances(value)
        if entries is None:
            return _json(_answer(recommender, turn, RecommendRequest.parse(value)))
        questions = [_question(entry) for entry in entries]
        check_work(question for question in questions if isinstance(question, RecommendRequest))
        return _json({"predictions": [_prediction(recommender, turn, question) for question in questions]})

    app.register_error_handler(RequestError, refuse)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _bug(app))
    return app


def _check_media_types() -> None:
    if request.mimetype != JSON:
        raise UnsupportedMediaType(f"Content-Type: expected {JSON}, got {shown(request.mimetype or 'none')}")
    # Without an Accept header everything is accepted.
    if request.accept_mimetypes and not request.accept_mimetypes.best_match([JSON]):
        raise NotAcceptable(f"Accept: this endpoint answers {JSON}, got {shown(request.headers['Accept'])}")


def _answer(recommender: Recommender, turn: Turn, question: RecommendRequest) -> dict[str, Any]:
    with turn():
        answer = recommender.recommend(
            question.user_id,
            question.events,
            top_k=question.top_k,
            num_candidates=question.candidates,
            exclude_seen=question.exclude_seen,
        )
    return _as_json(answer)


def refuse(error: RequestError) -> Response:
    """The answer to a bad request."""
    return _json(_refusal(error), 400)


def _question(value: Any) -> RecommendRequest | RequestError:  # noqa: ANN401 - any JSON value
    try:
        return RecommendRequest.parse(value)
    except RequestError as error:
        return error


def _prediction(recommender: Recommender, turn: Turn, question: RecommendRequest | RequestError) -> dict[str, Any]:
    if isinstance(question, RequestError):
        return _refusal(question)
    try:
        return _answer(recommender, turn, question)
    except RequestError as error:
        return _refusal(error)


def _as_json(answer: Recommendations) -> dict[str, Any]:
    return {
        "user_id": answer.user_id,
        "recommended_items": [item.item_id for item in answer.items],
        "items": [asdict(item) for item in answer.items],
        "source": answer.source,
    }


def _refusal(error: RequestError) -> dict[str, Any]:
    return {"error": str(error), "field": error.field}


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype=JSON)


def _http_error(error: HTTPException) -> Response:
    response = _json(
        {"error": _DESCRIPTIONS.get(error.code or 500) or error.description, "field": ""}, error.code or 500
    )
    if error.code == 405 and error.response is None:
        response.headers.extend({"Allow": "GET" if request.path == "/ping" else "POST"})
    return response


_DESCRIPTIONS = {
    404: "unknown path: this server has GET /ping and POST /invocations",
    405: "wrong method: this server has GET /ping and POST /invocations",
    413: f"body: expected at most {SERVE.max_body_bytes} bytes",
}


def _bug(app: Flask) -> Any:  # noqa: ANN401 - Flask's own type of a handler is not public
    def handle(error: Exception) -> Response:
        app.logger.error("failed to answer %s %s", request.method, request.path, exc_info=error)
        return _json({"error": "internal error; the server's log has the details", "field": ""}, 500)

    return handle
