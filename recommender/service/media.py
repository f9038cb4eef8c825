"""Request bodies -> records, results -> response bodies, in the media types of SageMaker (contract S10).

Records are counted before they are parsed, and parsed one at a time.

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

from recommender.common.messages import shown
from recommender.errors import RequestError
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Because, Recommendations, RecommendedItem
from recommender.sagemaker.server_environment import MediaType
from recommender.service.requests import Request, decode, instances, parse

Record = Request | RequestError  # a record of a request, or its error
Result = Recommendations | RequestError


BOM = b"\xef\xbb\xbf"  # some editors write it before UTF-8
HEADER = "user_id"
MAX_CSV_LINE = 4 * LIMITS.max_id_length + 2  # bytes of an ID in UTF-8 and two quotes


@dataclass(frozen=True)
class RequestBody:
    """A request body.

    Attributes:
        records: the records, in order, parsed while they are read. An invalid record among several is an error in its
            place.
        count: the number of records.
        is_single: whether the body is one object and not a list of them.
    """

    records: Iterator[Record]
    count: int
    is_single: bool = False


def read(body: bytes, kind: MediaType, max_values: int, max_records: int | None) -> RequestBody:
    """Return the records of a request body.

    Args:
        body: the bytes.
        kind: their media type.
        max_values: maximum number of JSON values; see `decode`.
        max_records: maximum number of records; None for a batch transform.

    Raises:
        RequestError: the body as a whole is not of its media type, or it has too many records.
    """
    body = body.removeprefix(BOM)
    if kind is MediaType.JSON:
        value = decode(body, max_values)
        entries = instances(value)
        if entries is None:
            return RequestBody(map(_record, [value]), 1, is_single=True)
        _check_count(len(entries), max_records)
        return RequestBody(map(_record, entries), len(entries))
    count = body.count(b"\n") + (not body.endswith(b"\n") and len(body) > 0)
    _check_count(count, max_records)
    if kind is MediaType.JSON_LINES:
        return RequestBody((_record_of_json_line(line, max_values) for line in _lines(body)), count)
    return RequestBody(map(_record_of_csv_line, _lines(body)), count)


def _check_count(count: int, max_records: int | None) -> None:
    if max_records is not None and count > max_records:
        raise RequestError("instances", f"expected at most {max_records} records, got {count}")


def write(results: Iterable[Result], kind: MediaType, *, is_single: bool, ends_line: bool) -> Iterator[bytes]:
    """Yield the response body, a piece for each result.

    Args:
        results: the results; each is computed when it is read.
        kind: the media type.
        is_single: whether JSON is one object and not a list of them.
        ends_line: whether the last line of CSV or JSON lines ends in a line break. In a batch transform SageMaker adds
            that line break (contract S18, AssembleWith Line).
    """
    if kind is MediaType.JSON and is_single:
        yield from map(_as_json_text, results)
    elif kind is MediaType.JSON:
        yield b'{"predictions": ['
        yield from _joined(map(_as_json_text, results), b", ")
        yield b"]}"
    else:
        is_empty = True
        for piece in _joined(map(_as_json_text if kind is MediaType.JSON_LINES else _as_csv, results), b"\n"):
            is_empty = False
            yield piece
        if ends_line and not is_empty:
            yield b"\n"


def _joined(pieces: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        yield separator + piece if number else piece


def _as_json_text(result: Result) -> bytes:
    return json.dumps(as_json(result)).encode()


def as_json(result: Result) -> dict[str, Any]:
    """Return a result as an object: recommendations, or the error and its field."""
    if isinstance(result, RequestError):
        return {"error": str(result), "field": result.field}
    subject = {"user_id": result.user_id} if result.item_id is None else {"item_id": result.item_id}
    return {
        **subject,
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
        "rule": item.rule,
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
        row = ["", "error", " ".join(str(result).splitlines())]
    else:
        row = [result.user_id or result.item_id or "", result.source, *(item.item_id for item in result.items)]
    broken = [field for field in row if len((field + "-").splitlines()) > 1]
    if broken:  # the ID would split one record into two lines
        row = ["", "error", f"expected IDs without line breaks in CSV, got {shown(broken[0])}: accept {MediaType.JSON}"]
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue().encode()


def _lines(body: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(body):
        end = body.find(b"\n", begin)
        end = len(body) if end < 0 else end
        yield body[begin:end].removesuffix(b"\r")
        begin = end + 1


def _record_of_json_line(line: bytes, max_values: int) -> Record:
    try:
        return parse(decode(line, max_values))
    except RequestError as error:
        return error


def _record_of_csv_line(line: bytes) -> Record:
    if len(line) > MAX_CSV_LINE:
        return RequestError("", f"expected a line of at most {MAX_CSV_LINE} bytes, got {len(line)}")
    if b'"' in line and not line.startswith(b'"'):
        return RequestError("", f"expected quotes around the whole user_id, got {shown(line.decode(errors='replace'))}")
    try:
        row = next(csv.reader([line.decode()], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        return RequestError("", f"expected a line of CSV in UTF-8: {error}")
    if len(row) != 1:
        return RequestError("", f"expected one column, the user_id, got {len(row)}")
    if row[0] == HEADER:
        return RequestError(HEADER, f"expected a user, got {HEADER!r}: CSV has no header here")
    return _record({"user_id": row[0]})


def _record(value: Any) -> Record:  # noqa: ANN401 - any JSON value
    try:
        return parse(value)
    except RequestError as error:
        return error
