"""Hostile requests for a server (right ones, altered ones, random bytes), and checks of its responses."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from support.openapi import ENDPOINT, load, read_body

STATUSES = {200, 400, 404, 405, 406, 408, 413, 414, 415, 417, 431, 501, 503}  # any other is a bug, such as 500
ODD_NAMES = st.sampled_from(["", "new", "x" * 1_001, "é\ud800", "\0", "a,b", '"']) | st.text(max_size=8)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1_000, 10_001, 2**63, 1e308])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _mostly(common: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([*[common] * 19, rare]).flatmap(lambda chosen: chosen)


def _fields(**fields: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: _mostly(value, JSON) for name, value in fields.items()}


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode(errors="surrogatepass")


def _bodies(users: Sequence[str], items: Sequence[str]) -> st.SearchStrategy[bytes]:
    known = st.sampled_from(users)
    events = st.fixed_dictionaries(
        _fields(item_id=_mostly(st.sampled_from(items), ODD_NAMES)),
        optional=_fields(rating=st.integers(1, 5), timestamp=st.just("2018-09-20") | NUMBERS),
    )
    records = st.fixed_dictionaries(
        _fields(user_id=_mostly(known | st.sampled_from(["new", 7]), ODD_NAMES)),
        optional=_fields(
            history=st.lists(events, max_size=4),
            top_k=st.integers(0, 50),
            num_candidates=st.integers(50, 200),
            exclude_seen=st.booleans(),
        ),
    )
    return st.one_of(
        records.map(_dumped),
        JSON.map(_dumped),
        st.lists(records, max_size=5).map(lambda several: _dumped({"instances": several})),
        st.lists(records, max_size=5).map(lambda several: b"\n".join(map(_dumped, several))),
        st.lists(known | ODD_NAMES, max_size=5).map(lambda several: "\n".join(several).encode(errors="surrogatepass")),
        st.binary(max_size=64),
        st.sampled_from([b"\n" * 3_000, b"[" * 3_000, b"1" * 3_000, b"\xef\xbb\xbf{}", b'{"user_id": "u0"}' * 2]),
    )


TYPES = _mostly(
    st.sampled_from(
        ["application/json"] * 4
        + ["application/jsonlines", "text/csv", "text/csv; charset=utf-8", "application/x-ndjson"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
ODD_HEADERS = st.lists(
    st.sampled_from(
        [
            *(b"Accept: */*", b"Accept: text/csv;q=0, */*;q=x", b"Accept: application/json; charset=utf-8"),
            *(b"Content-Encoding: gzip", b"Content-Encoding: identity", b"SCRIPT_NAME: x", b"Expect: 100-continue"),
            *(b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 5, 5", b"Transfer-Encoding: gzip"),
            *(b"Connection: close", b"Connection: upgrade", b"Upgrade: h2c", b"X-Forwarded-Proto: https"),
            *(b"X-Amzn-SageMaker-Custom-Attributes: \xff\x01", b"Host: a", b"Host:", b" folded", b"no colon", b": x"),
            *(b"X: " + b"y" * 5_000, b"Cookie: " + b"a=b;" * 900, b"X-\xff: y"),
        ]
    ),
    min_size=1,
    max_size=4,
)
HEADERS = _mostly(st.just([]), ODD_HEADERS)
METHODS = st.sampled_from([b"POST"] * 30 + [b"GET"] * 3 + [b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"post", b"\xff"])
PATHS = _mostly(
    st.just(b"/invocations"),
    st.sampled_from([b"/ping", b"/execution-parameters", b"/", b"*", b"/../ping", b"//"])
    | st.binary(max_size=8).map(lambda path: b"/" + path),
)


@st.composite
def _framed(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Draw a body with a length or in chunks; most are right."""
    body = draw(bodies)
    if draw(st.sampled_from([True, True, False])):
        length = draw(st.sampled_from([len(body)] * 12 + [len(body) + 1, len(body) // 2, 7_000_000, 10**30]))
        return b"Content-Length: %d\r\n\r\n%b" % (length, body)
    middle = draw(st.integers(0, len(body)))
    chunks = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (body[:middle], body[middle:]) if chunk]
    ending = draw(st.sampled_from([b"0\r\n\r\n"] * 9 + [b"", b"0\r\n", b"zz\r\n", b"-1\r\n\r\n", b"f" * 40 + b"\r\n"]))
    return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + ending


@st.composite
def _requests(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    version = draw(st.sampled_from([b"HTTP/1.1"] * 30 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]))
    lines = [b" ".join((draw(METHODS), draw(PATHS), version)), b"Host: x"]
    lines += [b"Content-Type: " + draw(TYPES).encode(), *draw(HEADERS)]
    return b"\r\n".join(lines) + b"\r\n" + draw(_framed(bodies))


@st.composite
def _altered(draw: st.DrawFn, requests: st.SearchStrategy[bytes]) -> bytes:
    """Draw a request with some bytes replaced, inserted, removed or cut off."""
    data = bytearray(draw(requests))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3) | st.just(b"\r\n"))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@dataclass(frozen=True)
class Sent:
    """The bytes that a client sends, and how it sends them.

    Attributes:
        data: one request, several, or none.
        is_whole: whether it has a whole request line, so that the server must respond.
        pieces: the number of parts in which it is sent.
        is_reset: whether the client then resets the connection; otherwise it half-closes it, and reads to the end.
    """

    data: bytes
    is_whole: bool
    pieces: int
    is_reset: bool


def hostile(users: Sequence[str], items: Sequence[str]) -> st.SearchStrategy[Sent]:
    """Return a strategy for hostile requests; the model must know these users and items."""
    requests = _requests(_bodies(users, items))
    whole = st.one_of(requests, requests, st.tuples(requests, requests).map(b"".join))
    return st.one_of(
        st.builds(Sent, whole, st.just(True), st.integers(1, 3), st.just(False)),
        st.builds(Sent, whole, st.just(True), st.integers(1, 3), st.just(False)),
        st.builds(Sent, _altered(requests) | st.binary(max_size=200), st.just(False), st.integers(1, 3), st.booleans()),
    )


@dataclass
class Received:
    """The responses of one connection.

    Attributes:
        statuses: the statuses of the complete responses.
        sources: the sources of the recommendations in them.
        problem: a description of what is wrong; "" if all are right.
    """

    statuses: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    problem: str = ""


class _Bytes:
    """Bytes in place of a socket, for the standard library's parser of responses."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.file.close = lambda: None  # type: ignore[method-assign]  # the next response follows

    def makefile(self, *_: object) -> io.BytesIO:
        return self.file


def responses_in(data: bytes) -> Received:
    """Parse the responses to requests other than HEAD, and compare each with the API's OpenAPI document."""
    received, source = Received(), _Bytes(data)
    while source.file.tell() < len(data) and not received.problem:
        try:
            response = HTTPResponse(cast("Any", source))
            response.begin()
            body = response.read()
        except (HTTPException, ValueError) as error:
            received.problem = f"not a response: {error!r}: {data[-300:]!r}"
            break
        received.statuses.append(response.status)
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        received.problem = _problem(response.status, kind, body)
        if response.status == 200 and not received.problem:
            received.sources += _sources_in(kind, body)
    return received


def _problem(status: int, kind: str, body: bytes) -> str:
    """Return a description of what is wrong with a response; "" if it is right."""
    found = f"status {status} with {kind}: {body[:300]!r}"
    if status not in STATUSES or (status != 200 and kind != "application/json"):
        return f"unexpected {found}"
    if status == 200 and not body:  # of /ping, OPTIONS or no records
        return ""
    schema = _schema_of(kind if status == 200 else "an error")
    try:
        return "" if schema.is_valid(read_body(kind, body)) else f"not as in the schema: {found}"
    except (ValueError, AssertionError, csv.Error) as error:
        return f"{error!r}: {found}"


@cache
def _schema_of(kind: str) -> Draft202012Validator:
    """Return the schema of a 200 response of any path with this media type, or of `an error`, which is JSON."""
    schemas = load(ENDPOINT)["components"]["schemas"]
    names = {
        "application/json": ["Response", "Predictions", "ExecutionParameters"],
        "text/csv": ["ResponseRows"],
        "an error": ["Error"],
    }
    chosen = names.get(kind, ["ResponseLines"])
    return Draft202012Validator(
        {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in chosen], "components": {"schemas": schemas}}
    )


def _sources_in(kind: str, body: bytes) -> Iterator[str]:
    if not body:
        return
    value = read_body(kind, body)
    if kind == "text/csv":
        yield from (row[1] for row in value)
        return
    records = value if isinstance(value, list) else value.get("predictions", [value])
    yield from (record["source"] for record in records if "source" in record)
