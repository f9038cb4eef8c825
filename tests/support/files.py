"""The same rows in every format, written without the project's code."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")

Columns = Mapping[str, Sequence[Any]]


def encoded(columns: Columns, suffix: str) -> bytes:
    """Return the bytes of a file in the format of this suffix."""
    if suffix == ".parquet":
        return parquet(pa.table({name: pa.array(values) for name, values in columns.items()}))
    text = as_csv(columns) if suffix.startswith(".csv") else as_json_lines(columns)
    return gzip.compress(text, 1) if suffix.endswith(".gz") else text


def columns_of(table: Sequence[tuple[Any, ...]]) -> Columns:
    return dict(zip(("user_id", "item_id", "rating", "timestamp"), zip(*table, strict=True), strict=True))


def one_row(**changed: object) -> Columns:
    row = {"user_id": "u", "item_id": "i", "rating": 3, "timestamp": 1} | changed
    return {name: [value] for name, value in row.items()}


def as_csv(columns: Columns) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def as_json_lines(columns: Columns) -> bytes:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()
