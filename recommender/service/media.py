"""Bodies of requests -> questions, answers -> bodies, in the media types of SageMaker (contract S10).

| type | a request | an answer |
| application/json | an object, or {"instances": [...]} | an object, or {"predictions": [...]} |
| application/jsonlines | an object a line | an object a line, in the same order |
| text/csv | a user_id a line, no header | user_id, source and the item ids; or user_id, error and what is wrong |
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from recommender.errors import RequestError
from recommender.pipeline.recommender import Recommendations, RecommendedItem
from recommender.sagemaker.server_environment import MediaType
from recommender.service.requests import RecommendRequest, decode, instances

Question = RecommendRequest | RequestError
Answer = Recommendations | RequestError


@dataclass(frozen=True)
class Asked:
    """What a body asks.

    Attributes:
        questions: one a record, in order; where a record of several is wrong, what is wrong with it.
        is_single: whether it is one object and not a list of them.
    """

    questions: list[Question]
    is_single: bool = False


def read(body: bytes, kind: MediaType) -> Asked:
    """The questions of a body.

    Raises:
        RequestError: it is not of its type as a whole, or its only question is wrong.
    """
    if kind is MediaType.JSON:
        value = decode(body)
        entries = instances(value)
        if entries is None:
            return Asked([RecommendRequest.parse(value)], is_single=True)
        return Asked([_question(entry) for entry in entries])
    of_line = _of_json_line if kind is MediaType.JSON_LINES else _of_csv_line
    return Asked([of_line(line) for line in _lines(body)])


def write(answers: Iterable[Answer], kind: MediaType, *, is_single: bool) -> Iterator[bytes]:
    """The body of the answers, piece by piece; of a single one it is one piece."""
    if kind is MediaType.JSON_LINES:
        return (json.dumps(as_json(answer)).encode() + b"\n" for answer in answers)
    if kind is MediaType.CSV:
        return (_as_csv(answer) for answer in answers)
    values = [as_json(answer) for answer in answers]
    return iter([json.dumps(values[0] if is_single else {"predictions": values}).encode()])


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer, or what is wrong with the question, as an object."""
    if isinstance(answer, RequestError):
        return {"error": str(answer), "field": answer.field}
    return {
        "user_id": answer.user_id,
        "recommended_items": [item.item_id for item in answer.items],
        "items": [_item(item) for item in answer.items],
        "source": answer.source,
    }


def _item(item: RecommendedItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "score": item.score,
        "predicted_rating": item.predicted_rating,
        **item.features,
        "because": item.because,
    }


def _as_csv(answer: Answer) -> bytes:
    text = io.StringIO()
    if isinstance(answer, RequestError):
        row = ["", "error", str(answer)]
    else:
        row = [answer.user_id, answer.source, *(item.item_id for item in answer.items)]
    # An id with a line break would make two lines of one record.
    csv.writer(text, lineterminator="\n").writerow(" ".join(field.splitlines()) for field in row)
    return text.getvalue().encode()


def _lines(body: bytes) -> list[bytes]:
    lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:  # the end of the last line
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _of_json_line(line: bytes) -> Question:
    try:
        return RecommendRequest.parse(decode(line))
    except RequestError as error:
        return error


def _of_csv_line(line: bytes) -> Question:
    try:
        row = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        return RequestError("", f"expected a line of CSV in UTF-8: {error}")
    if len(row) != 1:
        return RequestError("", f"expected one column, the user_id, got {len(row)}")
    return _question({"user_id": row[0]})


def _question(value: Any) -> Question:  # noqa: ANN401 - any JSON value
    try:
        return RecommendRequest.parse(value)
    except RequestError as error:
        return error
