"""Properties of every format of a channel's files."""

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.files import SUFFIXES, columns_of, encoded, one_row, parquet
from support.job import Job

from recommender.data.channels import MIN_NEW, GrowingColumn, read_events, read_items
from recommender.data.formats import csv_text, json_lines
from recommender.data.formats import parquet as parquet_files
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import DataError

BIG = 10_000_000

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
ratings = st.floats(1, 5, width=32)
times = st.integers(-(2**62), 2**62)
rows = st.lists(st.tuples(ids, ids, ratings, times), min_size=1, max_size=20)


@given(table=rows)
def test_the_same_rows_are_read_from_every_format(tmp_path_factory: pytest.TempPathFactory, table: list[Any]) -> None:
    for suffix in SUFFIXES:
        file = tmp_path_factory.mktemp("channel") / f"a{suffix}"
        file.write_bytes(encoded(columns_of(table), suffix))
        with open_channel(file) as files:
            frame = read_events(files, EventOptions())
        assert list(frame.itertuples(index=False, name=None)) == table, suffix
        assert frame.dtypes[["rating", "timestamp"]].tolist() == [np.float32, np.int64]
        for name in ("user_id", "item_id"):
            assert frame[name].cat.categories.tolist() == list(dict.fromkeys(columns_of(table)[name]))
            assert frame[name].cat.categories.dtype == "str"


@given(parts=st.lists(st.tuples(st.sampled_from(SUFFIXES), rows), min_size=1, max_size=5))
def test_files_of_mixed_formats_are_one_channel(tmp_path_factory: pytest.TempPathFactory, parts: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("channel")
    for number, (suffix, table) in enumerate(parts):
        (folder / f"{number}").mkdir()
        (folder / f"{number}" / f"a{suffix}").write_bytes(encoded(columns_of(table), suffix))
    with open_channel(folder) as files:
        frame = read_events(files, EventOptions())
    assert list(frame.itertuples(index=False, name=None)) == [row for _, table in parts for row in table]


@given(table=st.lists(st.tuples(ids, st.text(st.characters(exclude_categories=["Cs"])))))
def test_titles_are_the_same_in_every_format(tmp_path_factory: pytest.TempPathFactory, table: list[Any]) -> None:
    columns = {"item_id": ["first", *(row[0] for row in table)], "title": ["", *(row[1] for row in table)]}
    for suffix in SUFFIXES:
        file = tmp_path_factory.mktemp("channel") / f"a{suffix}"
        file.write_bytes(encoded(columns, suffix))
        with open_channel(file) as files:
            assert read_items(files, EventOptions()).to_dict("list") == columns, suffix


@pytest.mark.parametrize("module", [csv_text, json_lines, parquet_files])
def test_the_size_of_chunks_does_not_change_results(
    module: ModuleType, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = [(f"u{row % 7}", f"i{row * 5 % 11}", 1 + row % 5, row) for row in range(100)]
    for suffix in SUFFIXES:
        job.write(f"train/a{suffix}", encoded(columns_of(table), suffix))
    monkeypatch.setattr(module, *(("BYTES_AT_ONCE", 150) if module is csv_text else ("ROWS_AT_ONCE", 7)))
    monkeypatch.setattr("recommender.data.channels.MIN_NEW", 3)
    assert job.ratings().to_numpy().tolist() == [list(row) for row in table] * len(SUFFIXES)
    for suffix in SUFFIXES:
        job.write(f"train/a{suffix}", encoded(columns_of([*table, ("u", "i", 6, 1)]), suffix))
    where = {csv_text: "a.csv: row 101 below", json_lines: "a.jsonl: line 101,", parquet_files: "a.parquet: row 101,"}
    for suffix in {csv_text: (), json_lines: SUFFIXES[:2], parquet_files: SUFFIXES[:4]}[module]:
        job.write(f"train/a{suffix}", encoded(columns_of(table), suffix))
    with pytest.raises(DataError, match=where[module]):
        job.ratings()


def test_ids_of_many_chunks_are_stored_about_once() -> None:
    parts = GrowingColumn()
    chunk = pa.array([f"id {number}" for number in range(MIN_NEW // 10)], pa.large_string()).dictionary_encode()
    before = pa.total_allocated_bytes()
    for _ in range(100):
        parts.add(chunk.take(pa.array([0, 1])))
    assert pa.total_allocated_bytes() - before < 2 * chunk.dictionary.nbytes
    assert parts.series().cat.categories.tolist() == chunk.dictionary.to_pylist()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_integer_id_becomes_its_digits(job: Job, suffix: str) -> None:
    job.write(f"train/a{suffix}", encoded(one_row(user_id=1, item_id=-(2**63)), suffix))
    job.write("train/b.csv", encoded(one_row(user_id="1", item_id="01"), ".csv"))
    frame = job.ratings()
    assert frame["user_id"].tolist() == ["1", "1"]
    assert frame["item_id"].tolist() == [str(-(2**63)), "01"]
    assert len(frame["user_id"].cat.categories) == 1


ODD = [
    "NA",
    "null",
    "01",
    " x ",
    "e\u0301",
    "\u200b",
    "👩‍👩‍👧",
    "\u202eabc",
    "日本",
    "a\nb",
    "nan",
    "\ufeffx",
    "x" * 1000,
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("identifier", ODD)
def test_an_unusual_id_is_kept_unchanged(job: Job, suffix: str, identifier: str) -> None:
    job.write(f"train/a{suffix}", encoded(one_row(user_id=identifier), suffix))
    assert job.ratings()["user_id"].tolist() == [identifier]


@pytest.mark.parametrize(
    ("suffix", "where"), [(".csv", "row 1 below"), (".jsonl.gz", "line 1,"), (".parquet", "row 1,")]
)
def test_an_id_that_is_empty_or_huge_is_named(job: Job, suffix: str, where: str) -> None:
    for identifier in ("", "x" * 1001, "x" * BIG, "é" * 1001):
        message = job.problem(f"a{suffix}", encoded(one_row(item_id=identifier), suffix))
        assert where in message
        assert "column 'item_id': expected a text that is not empty, of at most 1,000 characters" in message


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", ["user_id", "rating", "timestamp"])
@pytest.mark.parametrize("value", [True, None, "\x00", ["x"], {"x": 1}, float("nan"), float("inf"), 1e300])
def test_a_value_of_a_wrong_type_is_named(job: Job, suffix: str, name: str, value: object) -> None:
    good = one_row(**{name: value})
    if name == "user_id" and value == "\x00":
        return
    message = job.problem(f"a{suffix}", encoded(good, suffix))
    if suffix == ".parquet" or not isinstance(value, float) or math.isfinite(value):
        assert f"1, column '{name}': expected a " in message
    else:
        assert message.startswith("line 1: expected one JSON object in UTF-8")  # JSON has no NaN


def test_a_channel_without_rows_is_named(job: Job) -> None:
    job.write("train/a.jsonl", "\n")
    job.write("train/b.parquet", parquet(pa.table({name: pa.array([], pa.string()) for name in one_row()})))
    job.write("train/c.csv", "user_id,item_id,rating\n")
    with pytest.raises(DataError, match=r"a\.jsonl and 2 other files: expected at least one row, got none"):
        job.ratings()


def test_titles_may_be_empty_null_or_missing_and_long_ones_are_cut(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("items/a.jsonl", '{"item_id": "a"}\n{"item_id": "b", "title": null}\n{"item_id": 3, "title": ""}\n')
    job.write("items/b.parquet", parquet(pa.table({"item_id": ["d", "e"], "title": [None, "é" * 2001]})))
    job.write("items/c.parquet", parquet(pa.table({"item_id": ["f"], "title": pa.nulls(1)})))
    job.write("items/d.csv", f"item_id,title\ng,{'x' * 2000}\nh,{'y' * BIG}\n")
    titles = job.titles()
    assert titles["item_id"].tolist() == ["a", "b", "3", "d", "e", "f", "g", "h"]
    assert titles["title"].tolist() == ["", "", "", "", "é" * 2000, "", "x" * 2000, "y" * 2000]
    assert "2 titles of more than 2,000 characters are cut to that length\n" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("value", [1, True, 1.5, ["Shirt"], {"en": "Shirt"}])
def test_a_title_that_is_no_text_is_named(job: Job, suffix: str, value: object) -> None:
    job.write(f"items/a{suffix}", encoded({"item_id": ["a"], "title": [value]}, suffix))
    with pytest.raises(DataError, match=r"1, column 'title': expected a text, got "):
        job.titles()


def damaged_files(suffix: str) -> st.SearchStrategy[bytes]:
    """Generate arbitrary bytes, or a good file with some bytes changed or removed."""
    good = encoded(columns_of([(f"u{row}", f"i{row % 3}", 1 + row % 5, row) for row in range(30)]), suffix)
    changes = st.lists(st.tuples(st.integers(0, len(good) - 1), st.binary(max_size=3)), max_size=3)
    return st.one_of(st.binary(max_size=300), changes.map(lambda found: with_changes(good, found)))


def with_changes(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for at, new in changes:
        data = data[:at] + new + data[at + len(new or b"x") :]
    return data


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.differing_executors])
@given(data=st.data())
def test_any_bytes_give_rows_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    file: Path = tmp_path_factory.mktemp("channel") / f"a{suffix}"
    file.write_bytes(data.draw(damaged_files(suffix)))
    for read in (read_events, read_items):
        try:
            with open_channel(file) as files:
                frame: pd.DataFrame | None = read(files, EventOptions())
        except DataError as error:
            frame, message = None, str(error)
        if frame is None:
            assert message.startswith(f"{file}: ")
            assert message.isprintable()
        elif "rating" in frame:
            assert frame["rating"].between(1, 5).all()
