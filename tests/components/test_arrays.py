"""The declared requirements of arrays, and the errors for arrays that do not meet them."""

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.components import base
from recommender.components.base import Array, ArrayError, check_arrays
from recommender.data import histories, vocabulary
from recommender.data.histories import Histories, row_offsets
from recommender.data.vocabulary import StringTable, Vocabulary

NUMBERS = st.lists(st.integers(-3, 9), max_size=9)


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> object:
    """Check arrays in parts of three values, so that the tests reach the borders."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (base, vocabulary, histories):
            patch.setattr(module, "AT_ONCE", 3)
        yield


def fits(declared: Array, values: Sequence[float] | np.ndarray, **sizes: int) -> bool:
    try:
        check_arrays({"a": declared}, {"a": np.asarray(values, declared.dtype)}, sizes)
    except ArrayError:
        return False
    return True


@given(NUMBERS, st.integers(-3, 9))
def test_offsets_begin_at_0_never_descend_and_end_at_the_size(values: list[int], end: int) -> None:
    expected = bool(values) and values[0] == 0 and values[-1] == end and values == sorted(values)
    assert fits(Array(np.int64, ("",), offsets_of="entries"), values, entries=end) == expected


@given(NUMBERS, st.integers(0, 9))
def test_numbers_are_from_0_to_below_the_size(values: list[int], size: int) -> None:
    assert fits(Array(np.int32, ("",), below="items"), values, items=size) == all(0 <= value < size for value in values)


@given(st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 2.0, np.inf, np.nan]), max_size=9))
def test_values_are_in_the_range_and_never_nan(values: list[float]) -> None:
    assert fits(Array(np.float32, ("",)), values) == (not np.isnan(values).any())
    assert fits(Array(np.float32, ("",), -1.5, 2), values) == all(-1.5 <= value <= 2 for value in values)


@given(st.binary(max_size=9))
def test_a_boolean_is_0_or_1(content: bytes) -> None:
    assert fits(Array(np.bool_, ("",)), np.frombuffer(content, np.bool_)) == (set(content) <= {0, 1})


def test_arrays_with_one_size_name_have_one_size() -> None:
    declared = {"a": Array(np.int8, ("rows+1",)), "b": Array(np.int8, ("rows", "items")), "c": Array(np.int8, ("",))}
    arrays = {"a": np.zeros(4, np.int8), "b": np.zeros((3, 2), np.int8), "c": np.zeros(9, np.int8)}
    assert check_arrays(declared, arrays, {"items": 2}) == {"items": 2, "rows": 3}
    for name, other, expected in (
        ("a", np.zeros(5, np.int8), r"x\.b: expected the shape rows \(4\) x items \(2\), got 3 x 2"),
        ("a", np.zeros(0, np.int8), r"x\.a: expected the shape any, got 0"),
        ("a", np.zeros((), np.int8), r"x\.a: expected the shape any, got no axis"),
        ("b", np.zeros((3, 9), np.int8), r"x\.b: expected the shape rows \(3\) x items \(2\), got 3 x 9"),
        ("b", np.zeros(3, np.int8), r"x\.b: expected the shape rows \(3\) x items \(2\), got 3"),
        ("c", np.zeros((1, 9), np.int8), r"x\.c: expected the shape any, got 1 x 9"),
        ("c", np.zeros(9, np.uint8), r"x\.c: expected int8, got uint8"),
    ):
        with pytest.raises(ArrayError, match=expected):
            check_arrays(declared, {**arrays, name: other}, {"items": 2}, "x.")


PIECES = st.sampled_from([b"a", "é".encode(), "😀".encode(), b"\xc3", b"\x80", b"\xff", b""])


@given(st.lists(st.lists(PIECES, max_size=3).map(b"".join), max_size=8))
def test_each_text_is_utf_8(texts: list[bytes]) -> None:
    offsets = np.cumsum([0, *map(len, texts)])
    table = StringTable(np.frombuffer(b"".join(texts), np.uint8), offsets)
    try:
        for text in texts:
            text.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="expected texts in UTF-8"):
            table.check(1_000)
    else:
        table.check(1_000)


def test_texts_have_a_maximum_length() -> None:
    table = StringTable.from_strings(["a", "b" * 9])
    table.check(3)
    with pytest.raises(ValueError, match="expected texts of at most 2 characters, got 9 bytes"):
        table.check(2)


@given(st.lists(st.sampled_from(["a", "aa", "b", "é", "z" * 20, "z" * 21]), max_size=8))
def test_ids_ascend_each_once(ids: list[str]) -> None:
    found = Vocabulary(StringTable.from_strings(ids))
    if ids == sorted(set(ids)):
        found.check()
    else:
        with pytest.raises(ValueError, match="expected IDs that ascend, each once"):
            found.check()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 0)), max_size=12))
def test_the_times_of_each_user_ascend(events: list[tuple[int, int]]) -> None:
    events = sorted(events, key=lambda event: event[0])
    user, time = (np.array([event[column] for event in events], np.int64) for column in (0, 1))
    found = Histories(row_offsets(user, 5), np.zeros(len(events), np.int32), None, time.astype(np.int32))
    if events == sorted(events):
        found.check()
    else:
        with pytest.raises(ValueError, match="from the oldest to the newest"):
            found.check()


def test_checks_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "AT_ONCE", 2**18)
    arrays: dict[str, np.ndarray] = {"a": np.zeros(2**23, np.float32), "b": np.arange(2**22)}
    tracemalloc.start()
    declared = {"a": Array(np.float32, ("",), 0, 1), "b": Array(np.int64, ("ends+1",), offsets_of="ends")}
    check_arrays(declared, arrays, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
