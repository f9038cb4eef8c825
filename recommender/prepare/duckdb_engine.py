"""The engine for one machine: DuckDB in this process, with a memory limit. Larger data spills to disk."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Self, TypeVar, cast

import duckdb
import pyarrow as pa

from recommender.common.cores import available_cores
from recommender.common.messages import reason
from recommender.data.formats.lines import read_lines
from recommender.data.sources import Format, SourceFile, open_channel
from recommender.errors import EngineError
from recommender.prepare.engine import Row
from recommender.prepare.records import Parsed, Records
from recommender.prepare.steps import Step

ROWS_AT_ONCE = 100_000
PARQUET_FILE = "part-00000.parquet"
SHA2 = "CREATE MACRO sha2(text, bits) AS sha256(text)"  # Spark's name of the function; the steps use only this length
T = TypeVar("T")
LOCATION = (("problem", pa.string()), ("file", pa.string()), ("line", pa.int64()))


class DuckDBEngine:
    """An `Engine` that uses DuckDB. Time and disk space grow with the input; memory does not.

    Args:
        folder: folder for data that does not fit into memory.
        memory_limit: memory for DuckDB, such as "1GB"; Python and its libraries need about 200 MB more.
    """

    def __init__(self, folder: Path, memory_limit: str) -> None:
        self._memory_limit = memory_limit
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": available_cores(),
            "temp_directory": str(folder / "spilled"),
            "preserve_insertion_order": False,  # queries sort where order matters
            "autoinstall_known_extensions": False,
        }
        try:
            self._connection = duckdb.connect(config=settings)
            self._connection.execute(SHA2)
        except duckdb.Error as error:
            raise self._translated(error) from None
        self._thread = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._connection.close()

    def load(self, table: str, locations: Sequence[str], records: Records) -> None:
        """Read raw files into a table; see `Engine`. Objects in S3 are downloaded first, one location at a time."""
        empty = pa.table({name: pa.array([], kind) for name, kind in (*records.columns, *LOCATION)})
        self._append(f"CREATE TABLE {table} AS", empty)
        for location in locations:
            with open_channel(location, formats={Format.JSON_LINES}) as files:
                for file in files:
                    self._insert(table, file, records)

    def make(self, step: Step) -> None:
        """See `Engine`."""
        kind = "TABLE" if step.stored else "VIEW"
        self._run(lambda: self._connection.execute(f"CREATE {kind} {step.table} AS {step.query}"))

    def rows(self, query: str) -> Iterator[Row]:
        """See `Engine`."""
        # No cursor: a cursor is another connection, and `interrupt` does not reach it.
        self._run(lambda: self._connection.execute(query))
        while rows := self._run(lambda: self._connection.fetchmany(ROWS_AT_ONCE)):
            yield from rows

    def write(self, query: str, folder: str | Path) -> None:
        """See `Engine`."""
        folder = Path(folder)
        folder.mkdir()
        path = str(folder / PARQUET_FILE)
        self._run(lambda: self._connection.sql(query).write_parquet(path, compression="snappy"))

    def _insert(self, table: str, file: SourceFile, records: Records) -> None:
        """Insert the rows of a file; parse the next rows while DuckDB inserts the current ones."""
        for rows in prefetch(_chunks(file, records)):
            self._append(f"INSERT INTO {table}", rows)

    def _append(self, statement: str, incoming: pa.Table) -> None:
        def append() -> None:
            self._connection.register("incoming", incoming)
            self._connection.execute(f"{statement} SELECT * FROM incoming")
            self._connection.unregister("incoming")

        self._run(append)

    def _run(self, work: Callable[[], T]) -> T:
        """Run DuckDB in another thread and return the result, so that this thread can handle signals."""
        future = self._thread.submit(work)
        try:
            return future.result()
        except duckdb.Error as error:
            raise self._translated(error) from None
        except KeyboardInterrupt:
            while not future.done():  # the work may not have started yet
                self._connection.interrupt()
                wait([future], timeout=0.1)
            raise

    def _translated(self, error: duckdb.Error) -> EngineError:
        """Convert an error of DuckDB; say what to do if memory or disk is not enough."""
        if not isinstance(error, duckdb.OutOfMemoryException):
            return EngineError(f"DuckDB: {reason(error)}")
        what = reason(error).partition("Possible solutions")[0].strip()
        return EngineError(
            f"DuckDB: {self._memory_limit} of memory or the disk space is not enough: set a higher --memory-limit "
            f"or free disk space: {what}"
        )


def prefetch(values: Iterator[T]) -> Iterator[T]:
    """Yield the same values; compute the next one in another thread while the current one is used."""
    end = object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, values, end)
        while (value := following.result()) is not end:
            following = pool.submit(next, values, end)
            yield cast(T, value)


def _chunks(file: SourceFile, records: Records) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    number = 1
    for lines in read_lines(file, show=True):
        batches.append(_batch(records, records.parse(lines), file.name, number))
        number += len(lines)
        if sum(map(len, batches)) >= ROWS_AT_ONCE:
            yield pa.Table.from_batches(batches)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def _batch(records: Records, parsed: Parsed, file: str, first_line: int) -> pa.RecordBatch:
    num_good, num_bad = len(parsed.columns[0]), len(parsed.bad)
    columns = [pa.concat_arrays([values, pa.nulls(num_bad, values.type)]) for values in parsed.columns]
    location = (parsed.problems, [file] * num_bad, [first_line + position for position in parsed.bad])
    for values, (_, kind) in zip(location, LOCATION, strict=True):
        columns.append(pa.concat_arrays([pa.nulls(num_good, kind), pa.array(values, kind)]))
    return pa.RecordBatch.from_arrays(columns, [name for name, _ in (*records.columns, *LOCATION)])
