"""Attributes of items in the metadata: what is kept, and that no value makes a line bad."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.raw import Prepare, Raw, Review, json_lines

from recommender.prepare import records
from recommender.prepare.attributes import ATTRIBUTES


def parsed(value: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one line of metadata, which must be good."""
    line = json.dumps({"parent_asin": "a", **value}).encode()
    found = records.metadata().parse([line])
    assert found.bad == []
    return {name: column.to_pylist()[0] for name, column in zip(records.metadata().fields, found.columns, strict=True)}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("price", 12.99, 12.99),
        ("price", "12.99", 12.99),
        ("price", "$1,299.00", 1299.0),
        ("price", "from 12.99", None),
        ("price", "—", None),
        ("price", -1, None),
        ("price", True, None),
        ("average_rating", 4.5, 4.5),
        ("average_rating", 5.1, None),
        ("rating_number", 10, 10),
        ("rating_number", 10.5, None),
        ("rating_number", -1, None),
        ("rating_number", 10**30, None),
        ("store", "  ACME ", "ACME"),
        ("store", "", None),
        ("store", 5, None),
        ("store", "x" * 201, None),
        ("main_category", None, None),
        ("categories", ["A", "B", "A", "", None, 5], ["A", "B"]),
        ("categories", [], None),
        ("categories", "A", None),
        ("categories", {"A": 1}, None),
        ("categories", [str(number) for number in range(150)], [str(number) for number in range(100)]),
    ],
)
def test_an_expected_value_is_kept_and_any_other_is_missing(name: str, value: object, kept: object) -> None:
    assert parsed({name: value})[name] == kept


TEXT = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(st.sampled_from([*ATTRIBUTES]), JSON)
def test_no_value_of_an_attribute_makes_a_line_bad(name: str, value: object) -> None:
    found = parsed({name: value})
    assert found["item_id"] == "a"
    kinds = {"categories": list, "price": float, "average_rating": float, "rating_number": int}
    assert found[name] is None or type(found[name]) is kinds.get(name, str)


def test_the_channel_has_the_attributes_whatever_the_order_of_lines(raw: Raw, prepare: Prepare) -> None:
    raw.write_all([Review("u", asin) for asin in "abcdef"], items=[])
    rows: list[dict[str, Any]] = [
        {"parent_asin": "a", "title": "A", "store": "Nord", "price": 5, "categories": ["X", "Y"]},
        {"parent_asin": "a", "title": "A", "store": "Sued", "price": None, "categories": ["X"]},
        {"parent_asin": "b", "title": "B", "rating_number": 3, "average_rating": 4.5, "main_category": "Shoes"},
        *({"parent_asin": asin} for asin in "cdef"),
    ]
    tables = []
    for order in (rows, rows[::-1]):
        raw.write("metadata.jsonl", json_lines(order))
        result = prepare()
        tables.append(result.table("items").sort_by("item_id").to_pylist())
        assert result.summary["items_with_attribute"] == {
            "main_category": 1, "categories": 1, "store": 1, "price": 1, "average_rating": 1, "rating_number": 1,
        }  # fmt: skip
    assert tables[0] == tables[1]
    first, second, *_ = tables[0]
    assert (first["store"], first["price"], first["categories"]) == ("Sued", 5.0, ["X", "Y"])
    assert (second["rating_number"], second["average_rating"], second["main_category"]) == (3, 4.5, "Shoes")
