"""The engine for a cluster: Spark, started by AWS Glue or EMR. Without a cluster it runs on the cores of this machine.

pyspark is imported only when it is used, because preparing on one machine does not need it.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

import pyarrow as pa

from recommender.common.extras import install
from recommender.common.messages import printable, reason
from recommender.data.s3 import SCHEME
from recommender.data.sources import Format, names_in_channel
from recommender.errors import DataError, EngineError
from recommender.prepare.engine import Row
from recommender.prepare.records import Records
from recommender.prepare.steps import Step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

GLOB = re.compile(r"[*?\[\]{}\\]")
SQL_TYPES = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
    pa.list_(pa.string()): "array<string>",
}
PLACE = "file string, block bigint, number bigint"  # of a line: its file, its block of the file, its number in Spark


class SparkEngine:
    """An `Engine` that uses Spark."""

    def __init__(self) -> None:
        with _translate_errors():
            self._spark = _session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spark.stop()

    def load(self, table: str, locations: Sequence[str], records: Records) -> None:
        """Read raw files into a table; see `Engine`. Every machine of the cluster must be able to read the files."""
        names = [name for location in locations for name in names_in_channel(location, {Format.JSON_LINES})]
        with _translate_errors():
            from pyspark import StorageLevel

            lines = _numbered_lines(self._spark, names)
            columns = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in records.columns)
            parsed = lines.mapInArrow(partial(_parse, records), f"{columns}, problem string, {PLACE}")
            parsed = parsed.persist(StorageLevel.DISK_ONLY)
            places = [] if parsed.where("problem IS NOT NULL").isEmpty() else _locate_blocks(lines, names)
            schema = f"{PLACE.replace('number', 'first_number')}, first_line bigint, name string"
            by_block = self._spark.createDataFrame(places, schema)
            located = parsed.join(by_block.hint("broadcast"), ["file", "block"], "left").selectExpr(
                *[name for name, _ in records.columns],
                "problem",
                "name AS file",
                "number - first_number + first_line AS line",
            )
            located.createOrReplaceTempView(table)

    def make(self, step: Step) -> None:
        """See `Engine`."""
        with _translate_errors():
            table = self._spark.sql(step.query)
            # Without checkpoints, a plan contains all earlier plans several times and exceeds the driver's memory.
            (table.localCheckpoint(eager=False) if step.stored else table).createOrReplaceTempView(step.table)

    def rows(self, query: str) -> Iterator[Row]:
        """See `Engine`."""
        with _translate_errors():
            # One part needs one job. Most queries return few rows, and one job per part would take most of the time.
            yield from map(tuple, self._spark.sql(query).coalesce(1).toLocalIterator())

    def write(self, query: str, folder: str | Path) -> None:
        """See `Engine`."""
        with _translate_errors():
            self._spark.sql(query).write.parquet(_hadoop_path(str(folder)))


def _session() -> "SparkSession":
    try:
        from pyspark import SparkConf
        from pyspark.sql import SparkSession
    except ImportError:
        raise EngineError(f"Spark: pyspark is not installed: {install('spark')}") from None
    builder = SparkSession.builder.appName("recommender.prepare")
    if not SparkConf().contains("spark.master"):  # without a cluster
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        local = {"spark.master": "local[*]", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
        local |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        local |= {"spark.sql.shuffle.partitions": "4"}
        builder = builder.config(map=local)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _numbered_lines(spark: "SparkSession", names: Sequence[str]) -> "DataFrame":
    """Return the columns line (bytes), file, block (its first byte) and number (ascending by one in a block)."""
    from pyspark.sql import functions

    text = spark.read.text([_hadoop_path(name) for name in names], lineSep="\n")
    return text.select(
        functions.col("value").cast("binary").alias("line"),
        functions.input_file_name().alias("file"),
        functions.expr("input_file_block_start()").alias("block"),
        functions.monotonically_increasing_id().alias("number"),
    )


def _parse(records: Records, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Parse batches of lines; this function runs on the workers."""
    for batch in batches:
        line, *place = batch.columns
        parsed = records.parse(line.to_pylist())
        num_good, bad = len(parsed.columns[0]), pa.array(parsed.bad, pa.int64())
        of_good = [pa.concat_arrays([values, pa.nulls(len(bad), values.type)]) for values in parsed.columns]
        of_bad = [pa.array(parsed.problems, pa.string()), *(values.take(bad) for values in place)]
        columns = of_good + [pa.concat_arrays([pa.nulls(num_good, values.type), values]) for values in of_bad]
        names = [name for name, _ in records.columns] + ["problem", "file", "block", "number"]
        yield pa.RecordBatch.from_arrays(columns, names)


def _locate_blocks(lines: "DataFrame", names: Sequence[str]) -> list[tuple[str, int, int, int, str]]:
    """Return (file, first byte, number of the first line in Spark, its number in the file, name) for each block.

    Spark reads a file in blocks and numbers lines by block. The number of a line in its file needs the line counts
    of all earlier blocks. To count them, Spark reads the text again, so this is done only if a line is bad.
    """
    name_of = {_hadoop_path(name).removeprefix("file:"): name for name in names}
    counted = lines.groupBy("file", "block").agg({"number": "min", "*": "count"}).collect()
    places = []
    for file, blocks in groupby(sorted(map(tuple, counted)), key=lambda row: str(row[0])):
        first_line = 1
        for _, block, first_number, count in blocks:
            name = name_of[unquote(file).removeprefix("file://")]
            places.append((file, block, first_number, first_line, name))
            first_line += count
    return places


def _hadoop_path(name: str) -> str:
    if GLOB.search(name):
        raise DataError(
            f"{printable(name)}: file names must not contain * ? [ ] {{ }} \\: Spark treats them as patterns"
        )
    return name if name.startswith(SCHEME) else f"file:{Path(name).resolve()}"


@contextmanager
def _translate_errors() -> Iterator[None]:
    problems: tuple[Any, ...] = (OSError,)
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        problems = (PySparkException, Py4JError, OSError)
    except ImportError:
        pass
    try:
        yield
    except problems as error:
        text = reason(error)
        if "JAVA_GATEWAY" in text:
            text = "Java 17 was not found: install it, or set JAVA_HOME"
        raise EngineError(f"Spark: {text}") from None
