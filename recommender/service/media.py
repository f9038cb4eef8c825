"""Request bodies -> records, results -> response bodies, in the media types of SageMaker (contract S10).

| type | request | response |
| application/json | an object, or {"instances": [...]} | an object, or {"predictions": [...]} |
| application/jsonlines | one object per line | one object per line, in the same order |
| text/csv | one user_id per line, no header | user_id, source and the item IDs; or "", error and the message |
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from recommender.errors import RequestError
from recommender.pipeline.recommendations import Because, Recommendations, RecommendedItem
from recommender.sagemaker.server_environment import MediaType
from recommender.service.requests import RecommendRequest, decode, instances

Record = RecommendRequest | RequestError  # a record of a request, or its error
Result = Recommendations | RequestError


@dataclass(frozen=True)
class RequestBody:
    """A parsed request body.

    Attributes:
        records: the records, in order. An invalid record among several is an error in its place.
        is_single: whether the body is one object and not a list of them.
    """

    records: list[Record]
    is_single: bool = False


def read(body: bytes, kind: MediaType) -> RequestBody:
    """Return the records of a request body.

    Raises:
        RequestError: the body as a whole is not of its media type, or its only record is invalid.
    """
    if kind is MediaType.JSON:
        value = decode(body)
        entries = instances(value)
        if entries is None:
            return RequestBody([RecommendRequest.parse(value)], is_single=True)
        return RequestBody([_record(entry) for entry in entries])
    record_of = _record_of_json_line if kind is MediaType.JSON_LINES else _record_of_csv_line
    return RequestBody([record_of(line) for line in _lines(body)])


def write(results: Iterable[Result], kind: MediaType, *, is_single: bool) -> Iterator[bytes]:
    """Return the response body, piece by piece; JSON is one piece."""
    if kind is MediaType.JSON_LINES:
        return (json.dumps(as_json(result)).encode() + b"\n" for result in results)
    if kind is MediaType.CSV:
        return (_as_csv(result) for result in results)
    values = [as_json(result) for result in results]
    return iter([json.dumps(values[0] if is_single else {"predictions": values}).encode()])


def as_json(result: Result) -> dict[str, Any]:
    """Return a result as an object: recommendations, or the error and its field."""
    if isinstance(result, RequestError):
        return {"error": str(result), "field": result.field}
    return {
        "user_id": result.user_id,
        "recommended_items": [item.item_id for item in result.items],
        "items": [_item(item) for item in result.items],
        "source": result.source,
    }


def _item(item: RecommendedItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "score": item.score,
        "predicted_rating": item.predicted_rating,
        **item.features,
        "sources": list(item.sources),
        "because": [_because(because) for because in item.because],
    }


def _because(because: Because) -> dict[str, Any]:
    """Return a reason as an object; `dataclasses.asdict` copies every value and takes twenty times as long."""
    return {
        "source": because.source,
        "share": because.share,
        "item_ids": list(because.item_ids),
        "words": list(because.words),
        "text": because.text,
    }


def _as_csv(result: Result) -> bytes:
    text = io.StringIO()
    if isinstance(result, RequestError):
        row = ["", "error", str(result)]
    else:
        row = [result.user_id, result.source, *(item.item_id for item in result.items)]
    # An ID with a line break would split one record into two lines.
    csv.writer(text, lineterminator="\n").writerow(" ".join(field.splitlines()) for field in row)
    return text.getvalue().encode()


def _lines(body: bytes) -> list[bytes]:
    lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:  # the body ends with a line break
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _record_of_json_line(line: bytes) -> Record:
    try:
        return RecommendRequest.parse(decode(line))
    except RequestError as error:
        return error


def _record_of_csv_line(line: bytes) -> Record:
    try:
        row = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        return RequestError("", f"expected a line of CSV in UTF-8: {error}")
    if len(row) != 1:
        return RequestError("", f"expected one column, the user_id, got {len(row)}")
    return _record({"user_id": row[0]})


def _record(value: Any) -> Record:  # noqa: ANN401 - any JSON value
    try:
        return RecommendRequest.parse(value)
    except RequestError as error:
        return error
