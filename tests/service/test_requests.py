"""The memory of the decoded values of a request."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.service.requests import decode, decoded_bytes

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)
EVENTS = [{"item_id": f"B0{number:08d}", "rating": 5.0, "timestamp": 1.5e9 + number} for number in range(10_000)]


def size(value: object, seen: set[int]) -> int:
    """Return the bytes of a value and its parts; each object counts once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return sys.getsizeof(value) + sum(size(part, seen) for part in parts)


def check(body: bytes) -> None:
    value = decode(body, sys.maxsize)
    assert size(value, set()) <= decoded_bytes(body, sys.maxsize)


@given(value=JSON_VALUES, is_ascii=st.booleans(), separator=st.sampled_from([",", ", "]))
def test_the_memory_of_decoded_values_is_at_most_the_counted_one(value: object, is_ascii: bool, separator: str) -> None:
    check(json.dumps(value, ensure_ascii=is_ascii, separators=(separator, ":")).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * 10_000 + b"{}]",
        '{"\x80": 0}'.encode(),
        b"[" + b'{"a":1e5},' * 10_000 + b"{}]",
        b"[" + b'{"a":{}},' * 10_000 + b"{}]",
        b"[" + b"[0]," * 10_000 + b"[]]",
        b"[" + b"1e5," * 10_000 + b"0]",
        json.dumps({f"{number:x}": 1e5 for number in range(87_382)}).encode(),
        json.dumps({f"\U0001f600{number:x}": 1e5 for number in range(87_382)}, ensure_ascii=False).encode(),
        ('"\U0001f600' + "a" * 100_000 + '"').encode(),
        json.dumps(EVENTS).encode(),
        json.dumps([{"item_id": event["item_id"]} for event in EVENTS]).encode(),
    ],
    ids=[
        "{}",
        "one wide key",
        "one key",
        "nested",
        "lists",
        "floats",
        "keys",
        "wide keys",
        "wide text",
        "events",
        "items",
    ],
)
def test_the_most_expensive_values_take_at_most_the_counted_memory(body: bytes) -> None:
    check(body)
