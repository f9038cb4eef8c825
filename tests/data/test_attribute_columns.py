"""Attributes of items: types, bounds and messages, in every format."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.bounds import MAX_ATTRIBUTE_CHARACTERS, MAX_ATTRIBUTE_TEXTS, MAX_ATTRIBUTES
from recommender.data.channels import read_items
from recommender.data.frames import checked_items
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import ConfigError, DataError

TABLE: dict[str, list[Any]] = {
    "item_id": ["a", "b", "c"],
    "title": ["Silk", "", "Wool"],
    "price": [12.5, None, 7.0],
    "in_stock": [True, False, None],
    "store": ["Nord", None, "00123"],
    "categories": [["Dresses", "Silk"], [], ["Scarves"]],
    "released": ["2020-01-02", None, "2021-05-06T07:08:09Z"],
}
TYPES = {
    "price": "double",
    "in_stock": "bool",
    "store": "large_string",
    "categories": "large_list<item: large_string>",
    "released": "timestamp[ms]",
}
TIMES = [pd.Timestamp("2020-01-02"), None, pd.Timestamp("2021-05-06 07:08:09")]


def csv_file(folder: Path, table: dict[str, list[Any]], name: str = "items.csv") -> Path:
    frame = pd.DataFrame({column: [_text(value) for value in values] for column, values in table.items()})
    frame.to_csv(folder / name, index=False)
    return folder / name


def _text(value: Any) -> str:  # noqa: ANN401 - of any type
    if value is None or value == []:
        return ""
    return json.dumps(value) if isinstance(value, list | bool | float) else str(value)


def json_file(folder: Path, table: dict[str, list[Any]], name: str = "items.jsonl") -> Path:
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (folder / name).write_text("\n".join(map(json.dumps, rows)))
    return folder / name


def parquet_file(folder: Path, table: dict[str, list[Any]], name: str = "items.parquet") -> Path:
    given = {**table, "released": TIMES} if "released" in table else table
    pq.write_table(pa.table(given), folder / name)
    return folder / name


WRITERS = {"csv": csv_file, "jsonl": json_file, "parquet": parquet_file}
Write = Callable[[Path, dict[str, list[Any]]], Path]
EVERY_FORMAT = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def read(path: Path, **options: object) -> pd.DataFrame:
    with open_channel(str(path)) as files:
        return read_items(files, EventOptions.model_validate(options))


def values(frame: pd.DataFrame, name: str) -> list[Any]:
    found: list[Any] = pa.array(frame[name]).to_pylist()
    return found


def types_of(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(pa.array(frame[name]).type) for name in frame.columns[2:]}


@EVERY_FORMAT
def test_every_format_gives_the_same_typed_attributes(write: Write, tmp_path: Path) -> None:
    found = read(write(tmp_path, TABLE))
    expected = {**TYPES, "released": "large_string"} if write is json_file else TYPES
    assert types_of(found) == expected
    assert found["item_id"].tolist() == TABLE["item_id"]
    assert found["title"].tolist() == TABLE["title"]
    for name in ("price", "in_stock", "store"):
        assert values(found, name) == TABLE[name]
    assert values(found, "categories") == [["Dresses", "Silk"], None, ["Scarves"]]
    if write is not json_file:  # JSON has no times: its texts stay texts
        assert values(found, "released") == [None if time is None else time.to_pydatetime() for time in TIMES]


def test_a_frame_of_python_gives_the_same_attributes() -> None:
    found = checked_items("titles", pd.DataFrame({**TABLE, "released": TIMES}), EventOptions())
    assert types_of(found) == TYPES
    assert values(found, "price") == TABLE["price"]


def test_texts_of_a_frame_are_read_as_those_of_csv(tmp_path: Path) -> None:
    path = csv_file(tmp_path, TABLE)
    of_pandas = checked_items("titles", pd.read_csv(path), EventOptions())
    assert types_of(of_pandas) == types_of(read(path)) == TYPES
    for name in TYPES:
        assert values(of_pandas, name) == values(read(path), name)


def test_each_attribute_has_a_line_with_its_type_share_and_distinct_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(csv_file(tmp_path, TABLE))
    lines = capsys.readouterr().out.splitlines()
    assert "attribute price: number, 67% of the rows have it, 2 distinct values" in lines
    assert "attribute categories: list of texts, 67% of the rows have it, 3 distinct values" in lines
    assert not [line for line in lines if "ignores" in line]


@EVERY_FORMAT
def test_named_attributes_alone_are_read(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path, TABLE)
    assert [*read(path, item_attributes="store, price").columns] == ["item_id", "title", "price", "store"]
    assert [*read(path, item_attributes="").columns] == ["item_id", "title"]


@EVERY_FORMAT
def test_a_named_attribute_that_no_file_has_is_an_error(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'item_attributes': no file of the items has a column 'shop'"):
        read(write(tmp_path, TABLE), item_attributes="price,shop")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["1", "2.5", "-3e2"], "double"),
        (["1", "", "2"], "double"),
        (["001", "2", "3"], "large_string"),
        (["1e999", "2", "3"], "large_string"),
        (["nan", "2", "3"], "large_string"),
        (["true", "FALSE", ""], "bool"),
        (["true", "yes", ""], "large_string"),
        (["2020-01-01", "2020-01-02 10:11", ""], "timestamp[ms]"),
        (["2020-13-01", "2020-01-02", ""], "large_string"),
        (['["a"]', "[]", ""], "large_list<item: large_string>"),
        (['["a", 1]', "[]", ""], "large_string"),
        (["[a]", "[]", ""], "large_string"),
    ],
)
def test_the_type_of_a_csv_column_is_that_of_all_its_values(column: list[str], kind: str, tmp_path: Path) -> None:
    found = read(csv_file(tmp_path, {"item_id": ["a", "b", "c"], "title": ["A", "B", "C"], "x": column}))
    assert types_of(found) == {"x": kind}


def test_json_values_of_different_types_become_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices: list[Any] = [*range(19), "from 5"]
    table = {"item_id": [f"i{n}" for n in range(20)], "title": ["T"] * 20, "price": prices}
    found = read(json_file(tmp_path, table))
    assert types_of(found) == {"price": "large_string"}
    assert values(found, "price") == [*map(str, range(19)), "from 5"]
    assert "most values are numbers, but not 'from 5' (" in capsys.readouterr().out


def test_files_of_different_formats_agree_on_a_type(tmp_path: Path) -> None:
    for number, (suffix, write) in enumerate(WRITERS.items()):
        write(tmp_path, {"item_id": [f"i{number}"], "title": ["T"], "price": [number + 0.5], suffix: ["x"]})
    found = read(tmp_path)
    assert types_of(found) == {"price": "double", **dict.fromkeys(WRITERS, "large_string")}
    assert sorted(values(found, "price")) == [0.5, 1.5, 2.5]
    for suffix in WRITERS:
        assert sorted(values(found, suffix), key=str) == [None, None, "x"]


def test_a_csv_text_that_is_no_number_makes_numbers_of_parquet_texts(tmp_path: Path) -> None:
    csv_file(tmp_path, {"item_id": ["a"], "title": ["T"], "price": ["cheap"]})
    parquet_file(tmp_path, {"item_id": ["b"], "title": ["T"], "price": [2.5]})
    assert sorted(values(read(tmp_path), "price")) == ["2.5", "cheap"]


UNSUITABLE: dict[str, list[Any]] = {
    "a long text": ["x" * (MAX_ATTRIBUTE_CHARACTERS + 1), "b"],
    "a long list": [["x"] * (MAX_ATTRIBUTE_TEXTS + 1), ["b"]],
    "a long text in a list": [["x" * (MAX_ATTRIBUTE_CHARACTERS + 1)], ["b"]],
    "an object": [{"a": 1}, {"a": 2}],
    "a list of numbers": [[1, 2], [3]],
    "nothing": [None, None],
}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", UNSUITABLE)
def test_an_unsuitable_column_is_left_out_with_the_reason_and_an_error_if_it_is_named(
    kind: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table: dict[str, list[Any]] = {
        "item_id": ["a", "b"],
        "title": ["A", "B"],
        "x": UNSUITABLE[kind],
        "price": [1.0, 2.0],
    }
    path = WRITERS[suffix](tmp_path, table)
    assert [*read(path).columns] == ["item_id", "title", "price"]
    assert "column 'x' is no item attribute: " in capsys.readouterr().out
    with pytest.raises(DataError, match="column 'x': can't be an item attribute: "):
        read(path, item_attributes="x,price")


def test_a_column_of_csv_that_is_not_utf_8_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "items.csv").write_bytes(b"item_id,title,x,price\na,A,caf\xe9,1\nb,B,b,2\n")
    assert [*read(tmp_path / "items.csv").columns] == ["item_id", "title", "price"]
    assert "column 'x' is no item attribute: " in capsys.readouterr().out
    with pytest.raises(DataError, match=r"'x'.*expected UTF-8 text"):
        read(tmp_path / "items.csv", item_attributes="x")


def test_more_columns_than_attributes_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra: dict[str, list[Any]] = {f"x{number:03d}": [1.0] for number in range(MAX_ATTRIBUTES + 5)}
    table: dict[str, list[Any]] = {"item_id": ["a"], "title": ["A"], **extra}
    for write in WRITERS.values():
        found = read(write(tmp_path, table))
        assert len(found.columns) == 2 + MAX_ATTRIBUTES
    assert f"the items have {MAX_ATTRIBUTES} attributes already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["item_id", "a,a", ",", "x" * 101, "a\nb", ",".join(f"x{number}" for number in range(51))]
)
def test_wrong_names_of_attributes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="item_attributes"):
        EventOptions.from_hyperparameters({"item_attributes": text}, "test")


NUMBERS = st.floats(-1e300, 1e300) | st.none()
TEXTS = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=10).map("x {}".format)


@given(st.data())
def test_any_typed_values_are_read_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 6))
    table: dict[str, list[Any]] = {
        "item_id": [f"i{number}" for number in range(size)],
        "title": ["T"] * size,
        "number": [1.0, *data.draw(st.lists(NUMBERS, min_size=size - 1, max_size=size - 1))],
        "text": ["abc", *data.draw(st.lists(TEXTS | st.none(),
                                            min_size=size - 1, max_size=size - 1))],
        "texts": [["x"], *data.draw(st.lists(st.lists(TEXTS, max_size=3), min_size=size - 1, max_size=size - 1))],
        "flag": [True, *data.draw(st.lists(st.booleans() | st.none(), min_size=size - 1, max_size=size - 1))],
    }  # fmt: skip
    for write in WRITERS.values():
        found = read(write(tmp_path_factory.mktemp("items"), table))
        for name in ("number", "text", "flag"):
            assert values(found, name) == table[name]
        assert values(found, "texts") == [texts or None for texts in table["texts"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(JSON, min_size=1, max_size=5))
def test_any_json_value_of_an_attribute_is_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, column: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("items")
    rows = [{"item_id": f"i{n}", "title": "T", "x": value} for n, value in enumerate(column)]
    text = (
        "\n".join(json.dumps(row) for row in rows)
        .replace("NaN", "null")
        .replace("Infinity", "null")
        .replace("-null", "null")
    )
    (folder / "items.jsonl").write_text(text)
    with contextlib.suppress(DataError):  # half of a surrogate pair is no JSON
        assert len(read(folder / "items.jsonl")) == len(column)
