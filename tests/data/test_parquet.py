"""Channels of Parquet files."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import columns_of, encoded, one_row, parquet
from support.job import Job

from recommender.errors import DataError

PARQUET_TEXT = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", PARQUET_TEXT, ids=str)
def test_every_text_type_of_parquet_can_be_an_id(job: Job, kind: pa.DataType) -> None:
    table = pa.table({"user_id": pa.array(["b", "a", "b"]).cast(kind), "item_id": ["i"] * 3, "rating": [1, 2, 3]})
    job.write("train/a.parquet", parquet(table))
    assert job.ratings()["user_id"].tolist() == ["b", "a", "b"]


@pytest.mark.parametrize("name", ["user_id", "item_id"])
@pytest.mark.parametrize("kind", [*PARQUET_TEXT, pa.int64()], ids=str)
def test_a_null_among_ids_is_named_with_file_row_and_column(job: Job, kind: pa.DataType, name: str) -> None:
    values = (
        pa.array([1, 2, None, 2]).cast(kind) if pa.types.is_integer(kind) else pa.array(["a", "b", None]).cast(kind)
    )
    table = pa.table({"user_id": ["u"] * len(values), "item_id": ["i"] * len(values), name: values})
    job.write("train/a.parquet", parquet(table))
    with pytest.raises(DataError, match=rf"a\.parquet: row 3, column '{name}': expected .*, got null"):
        job.ratings()


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(9, 2), pa.decimal256(50, 4)], ids=str
)
def test_every_number_type_of_parquet_can_be_a_rating_or_timestamp(job: Job, kind: pa.DataType) -> None:
    values = pa.array([Decimal(1), Decimal(5)]).cast(kind)
    job.write(
        "train/a.parquet",
        parquet(pa.table({**one_row(), **columns_of([("u", "i", 1, 1)] * 2), "rating": values, "timestamp": values})),
    )
    assert job.ratings()[["rating", "timestamp"]].to_numpy().tolist() == [[1, 1], [5, 5]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_a_timestamp_of_parquet_becomes_milliseconds(job: Job, unit: str, zone: str | None) -> None:
    moment = datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC)
    values = pa.array([moment], pa.timestamp("s", "UTC")).cast(pa.timestamp(unit, zone))
    job.write("train/a.parquet", parquet(pa.table(dict(one_row()) | {"timestamp": values})))
    assert job.ratings()["timestamp"].tolist() == [int(moment.timestamp() * 1000)]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("user_id", pa.array([b"u"]), "row 1, column 'user_id': expected a text that is not empty"),
        ("user_id", pa.array([b"\xff"]).view(pa.string()), "row 1, column 'user_id': expected a text"),
        ("user_id", pa.array([Decimal("1")]), "row 1, column 'user_id': expected a text that is not empty"),
        ("user_id", pa.nulls(1), "row 1, column 'user_id': expected a text that is not empty"),
        ("rating", pa.array(["5"]), "row 1, column 'rating': expected a number from 1 to 5, got '5'"),
        ("rating", pa.array([0], pa.timestamp("ms")), "row 1, column 'rating': expected a number from 1 to 5"),
        ("rating", pa.nulls(1), "row 1, column 'rating': expected a number from 1 to 5, got null"),
        ("timestamp", pa.array([2**64 - 1], pa.uint64()), "row 1, column 'timestamp': expected a number"),
        ("timestamp", pa.array(["1"]), "row 1, column 'timestamp': expected a number, or a date"),
    ],
    ids=range(9),
)
def test_an_error_in_parquet_names_the_row(job: Job, name: str, values: pa.Array, expected: str) -> None:
    assert job.problem("a.parquet", parquet(pa.table(dict(one_row()) | {name: values}))).startswith(expected)


def test_a_missing_or_repeated_column_is_named(job: Job) -> None:
    table = pa.table(dict(one_row()))
    assert "column 'item_id' is missing; the file has 'user_id', 'rating', 'timestamp'" in job.problem(
        "a.parquet", parquet(table.drop_columns("item_id"))
    )
    twice = parquet(pa.table([*table.columns, table["rating"]], [*table.column_names, "rating"]))
    assert "column 'rating' occurs 2 times, expected once" in job.problem("a.parquet", twice)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"PAR1",
        lambda data: data[:-20],
        lambda data: data[20:],
        lambda data: b"PARE" + data[4:-4] + b"PARE",
        lambda data: data[:4] + b"\xff" * 40 + data[44:],
        lambda data: gzip.compress(data),
    ],
    ids=["magic", "truncated", "beheaded", "encrypted", "overwritten", "gzip"],
)
def test_a_damaged_parquet_file_is_named(job: Job, damage: Callable[[bytes], bytes]) -> None:
    assert job.problem("a.parquet", damage(encoded(one_row(), ".parquet"))).startswith("can't be read: ")


def test_only_the_needed_columns_of_a_parquet_file_are_read(job: Job) -> None:
    """Corrupt an unneeded column, so that decoding it would fail."""
    table = pa.table(dict(one_row()) | {"text": ["abcdefgh" * 100]})
    data = parquet(table, compression="none", use_dictionary=False, write_statistics=False)
    begin = data.index(b"abcdefgh") - 12
    job.write("train/a.parquet", data[:begin] + b"\xff" * 12 + data[begin + 12 :])
    assert len(job.ratings()) == 1
    with pytest.raises((OSError, pa.ArrowException)):
        pq.read_table(job.base_dir / "input/data/train/a.parquet")
