"""A small file that decompresses without end is refused before its end is reached."""

import gzip
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import SUFFIXES, columns_of, encoded, parquet
from support.job import Job

from recommender.data import channels
from recommender.data.columns import Rows
from recommender.data.formats import lines
from recommender.data.formats import parquet as parquet_files
from recommender.errors import DataError


def endless_gzip(text: bytes, times: int) -> bytes:
    """Return the beginning of a gzip file. A reader that reaches its end fails with another message."""
    compressor = zlib.compressobj(1, wbits=31)
    return b"".join([*(compressor.compress(text) for _ in range(times)), compressor.flush(zlib.Z_SYNC_FLUSH)])


@pytest.mark.parametrize(
    ("name", "begin", "line"),
    [
        ("a.csv.gz", b"", 1),
        ("a.csv.gz", b"user_id,item_id\n", 2),
        ("a.csv.gz", b'user_id,item_id\nu,"', 2),
        ("a.jsonl.gz", b'{"user_id": "', 1),
        ("a.jsonl.gz", b"\n", 2),
    ],
)
def test_a_line_of_a_gigabyte_is_refused_before_its_end(job: Job, name: str, begin: bytes, line: int) -> None:
    message = job.problem(name, gzip.compress(begin) + endless_gzip(b"x" * 2**20, 30))
    assert message == f"line {line}: expected at most 16,777,216 bytes, got more"


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_file_of_endless_lines_is_refused_before_its_end(
    job: Job, monkeypatch: pytest.MonkeyPatch, name: str, quote: bytes
) -> None:
    begin, line = b"user_id,item_id\n", quote + b"u" + quote + b",i\n"
    if name == "a.jsonl.gz":
        begin, line = b"", b'{"user_id": "u", "item_id": "i"}\n'
    monkeypatch.setattr(lines, "MAX_ROWS", 1_000_000)
    for endless in (line, b"\n"):
        message = job.problem(name, gzip.compress(begin) + endless_gzip(endless * 2**17, 80))
        assert message == "expected at most 1,000,000 lines, got more: split the file"
    monkeypatch.setattr(lines, "MAX_FILE_BYTES", 2_000_000)
    message = job.problem(name, gzip.compress(begin) + endless_gzip(line * 2**17, 30))
    assert message == "expected at most 2,000,000 decompressed bytes, got more: split the file"


def test_parquet_of_300_million_equal_rows_is_refused_by_its_footer(job: Job) -> None:
    rows = pa.table({name: pa.nulls(10**8, pa.string()) for name in ("user_id", "item_id")})
    file = job.write("train/a.parquet", b"")
    with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
        for _ in range(3):
            writer.write_table(rows, row_group_size=10**8)
    content = file.read_bytes()
    assert len(content) < 3_000_000
    assert job.problem("a.parquet", content) == "expected at most 134,217,728 rows, got more: split the file"


def test_a_parquet_cell_of_a_gigabyte_is_refused_by_its_footer(job: Job) -> None:
    cell = pa.array(["x" * (20 * 2**20)])
    content = parquet(pa.table({"user_id": ["u"], "item_id": cell}), compression="zstd")
    assert job.problem("a.parquet", content) == (
        "expected at most 17,825,792 bytes in a row group of 1 rows, got 20,971,629: remove the columns with long "
        "values"
    )


def test_a_long_parquet_text_that_many_rows_share_is_decoded_once(job: Job) -> None:
    rows = 150_000
    shared = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["y" * (8 * 2**20)]))
    equal = pa.array(["a"] * rows)
    content = parquet(pa.table({"user_id": equal, "item_id": shared, "title": shared}), compression="zstd")
    before = pa.default_memory_pool().max_memory()
    assert job.problem("a.parquet", content).startswith("row 1, column 'item_id': expected a text that is not empty")
    job.write("items/a.parquet", parquet(pa.table({"item_id": equal, "title": shared})))
    assert set(job.titles()["title"]) == {"y" * 2000}
    assert pa.default_memory_pool().max_memory() <= max(before, 3 * 10**9)  # one text per row would take 1.2 TB


@given(
    texts=st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=20),
    others=st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=5),
)
def test_text_from_a_dictionary_equals_the_text_of_its_rows(texts: list[str | None], others: list[str | None]) -> None:
    array = pa.array([*others, *texts], pa.string()).dictionary_encode()[len(others) :]
    found = parquet_files._encoded(array, Rows("a.parquet", "row {}", range(len(array))))
    assert found.to_pylist() == texts
    assert [text for text in found.dictionary.to_pylist() if text is not None] == [
        text for text in dict.fromkeys(texts) if text is not None
    ]


def test_a_text_twice_in_a_parquet_dictionary_is_one_id(job: Job) -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), pa.array(["u", "v", "u"]))
    content = parquet(pa.table({"user_id": twice, "item_id": ["i", "j", "k"]}))
    job.write("train/a.parquet", content)
    frame = job.ratings()
    assert frame["user_id"].tolist() == ["u", "v", "u"]
    assert frame["user_id"].cat.categories.tolist() == ["u", "v"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_and_memory_of_a_file_are_bounded_in_every_format(
    job: Job, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    content = encoded(columns_of([("u", "i", 3, 1)] * 1000), suffix)
    monkeypatch.setattr(lines, "MAX_ROWS", 999)
    assert job.problem(f"a{suffix}", content).startswith("expected at most 999 ")
    monkeypatch.undo()
    monkeypatch.setattr(channels, "MAX_KEPT_BYTES", 19_999)  # one byte less than 4 + 4 + 4 + 8 bytes per row
    assert job.problem(f"a{suffix}", content) == "expected at most 19,999 bytes of IDs, numbers and titles, got more"
    monkeypatch.setattr(channels, "MAX_KEPT_BYTES", 20_000)
    assert len(job.ratings()) == 1000


def test_a_parquet_file_of_more_columns_than_the_bound_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "MAX_COLUMNS", 3)
    content = encoded(columns_of([("u", "i", 3, 1)]), ".parquet")
    assert job.problem("a.parquet", content) == "expected at most 3 columns, got 4"


def test_a_code_outside_its_dictionary_is_refused() -> None:
    indices = pa.array([0, 7], pa.int32())
    outside = pa.DictionaryArray.from_arrays(indices, pa.array(["u"]), safe=False)
    with pytest.raises(DataError, match="a code is outside the dictionary of its column"):
        parquet_files._encoded(outside, Rows("a.parquet", "row {}", range(2)))
