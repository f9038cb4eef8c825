r"""Recommendations for every user of a model at once, as one Parquet file.

\b
    python -m recommender.score --output scores.parquet        # of the model in /opt/ml/model or SAGEMAKER_BASE_DIR

The same answers as the server's, without the server: users in blocks, one product of matrices a block.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from recommender.config import SERVE
from recommender.container import Container
from recommender.data.strings import StringTable
from recommender.errors import ConfigError
from recommender.hosting import available_cores
from recommender.options import run
from recommender.pipeline import Recommender
from recommender.progress import progress, say

BLOCK = 128  # users of one product; with 14,000 directions of items a block takes 7 MB
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("item_id", pa.string()),
        ("score", pa.float64()),
        ("predicted_rating", pa.float64()),
    ]
)


def score(recommender: Recommender, block: range, top_k: int, num_candidates: int) -> pa.RecordBatch:
    """The recommendations of the users with these numbers, best first, user by user: rows of `SCHEMA`."""
    model = recommender.model
    users = np.arange(block.start, block.stop)
    ranked = list(recommender.ranked_for_users(users, num_candidates, top_k))
    items, scores, ratings = (np.concatenate(column) for column in zip(*ranked, strict=True))
    lengths = [len(item_num) for item_num, _, _ in ranked]
    rank = np.concatenate([np.arange(1, length + 1, dtype=np.int32) for length in lengths])
    columns = [
        _strings(model.users.table).take(_numbers(np.repeat(users, lengths))).cast(pa.string()),
        _numbers(rank),
        _strings(model.items.table).take(_numbers(items)).cast(pa.string()),
        _numbers(scores),
        _numbers(ratings),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _strings(table: StringTable) -> pa.LargeStringArray:
    """The same memory as Arrow sees it."""
    return pa.LargeStringArray.from_buffers(len(table), pa.py_buffer(table.offsets), pa.py_buffer(table.blob))


def _numbers(values: np.ndarray) -> pa.Array:
    # pa.array would import pandas, a quarter of a second, to see whether it is one of its own.
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def score_all(folder: Path, path: Path, top_k: int, num_candidates: int, workers: int) -> int:
    """Write the recommendations of all users of a model folder; the file appears when it is complete.

    Returns:
        The number of users.

    Raises:
        ArtifactError: see `artifacts.load`.
        OSError: the file can't be written.
    """
    num_users = len(Recommender.load(folder).model.users)
    blocks = [range(begin, min(begin + BLOCK, num_users)) for begin in range(0, num_users, BLOCK)]
    with (
        _complete(path) as unfinished,
        pq.ParquetWriter(unfinished, SCHEMA) as writer,
        ProcessPoolExecutor(workers, initializer=_load, initargs=(folder,)) as pool,
    ):
        batches = pool.map(_score, blocks, *([value] * len(blocks) for value in (top_k, num_candidates)))
        for batch, _ in zip(batches, progress(blocks, "scoring blocks of users"), strict=True):
            writer.write_batch(batch)
    return num_users


_loaded: list[Recommender] = []  # of a worker process


def _load(folder: Path) -> None:
    threadpool_limits(1, user_api="blas")  # each core has a worker
    _loaded.append(Recommender.load(folder))


def _score(block: range, top_k: int, num_candidates: int) -> pa.RecordBatch:
    return score(_loaded[0], block, top_k, num_candidates)


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.option("--model", type=click.Path(path_type=Path), help="Model folder.  [default: that of the container]")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--top_k", "--top-k", type=click.IntRange(1, SERVE.max_top_k), default=SERVE.top_k, show_default=True,
              help="Recommendations of a user.")  # fmt: skip
@click.option("--num_candidates", "--num-candidates", type=click.IntRange(1, SERVE.max_num_candidates),
              default=SERVE.num_candidates, show_default=True,
              help="Items that recall hands to the rerank.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core]")
def command(model: Path | None, output: Path, top_k: int, num_candidates: int, workers: int | None) -> None:
    """See the module."""
    if output.suffix != ".parquet" or "://" in str(output) or str(output).startswith("s3:"):
        raise ConfigError(f"--output: expected a file on this machine whose name ends in .parquet, got {output}")
    folder = model or Container.from_environment().model_dir
    output.parent.mkdir(parents=True, exist_ok=True)
    users = score_all(folder, output, top_k, max(top_k, num_candidates), workers or available_cores())
    say(f"{output}: recommendations of {users:,} users")


def main(arguments: list[str] | None = None) -> int:
    """Score; returns the exit code."""
    return run(command, arguments, "recommender.score")


if __name__ == "__main__":
    sys.exit(main())
