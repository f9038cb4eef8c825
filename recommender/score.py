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
    ranked = list(recommender.ranked_for_users(np.arange(block.start, block.stop), num_candidates, top_k))
    lengths = [len(item_num) for item_num, _, _ in ranked]
    items, scores, ratings = (np.concatenate(column) for column in zip(*ranked, strict=True))
    users = pa.array([model.users.id(number) for number in block], pa.string())
    of_row = pa.array(np.repeat(np.arange(len(block)), lengths))
    rank = np.concatenate([np.arange(1, length + 1, dtype=np.int32) for length in lengths])
    columns = [users.take(of_row), rank, [model.items.id(number) for number in items.tolist()], scores, ratings]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA
    )


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
    folder = model or Container.from_environment().model_dir
    output.parent.mkdir(parents=True, exist_ok=True)
    users = score_all(folder, output, top_k, max(top_k, num_candidates), workers or available_cores())
    say(f"{output}: recommendations of {users:,} users")


def main(arguments: list[str] | None = None) -> int:
    """Score; returns the exit code."""
    return run(command, arguments, "recommender.score")


if __name__ == "__main__":
    sys.exit(main())
