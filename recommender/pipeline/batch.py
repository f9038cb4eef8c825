"""Batch scoring: recommendations for all users of a model in one file, one matrix product per block."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import CSVWriter
from threadpoolctl import threadpool_limits

from recommender.common.files import atomic
from recommender.common.progress import progress
from recommender.data.vocabulary import StringTable
from recommender.pipeline.applied_rules import AppliedRules
from recommender.pipeline.recommender import Recommender

BLOCK = 128  # users per product; with 14,000 item directions a block takes 7 MB
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("item_id", pa.string()),
        ("score", pa.float64()),
        ("predicted_rating", pa.float64()),
    ]
)


def score(
    recommender: Recommender, block: range, top_k: int, num_candidates: int, rules: AppliedRules | None = None
) -> pa.RecordBatch:
    """Return the recommendations for a range of user numbers, user by user, best first, as rows of `SCHEMA`."""
    model = recommender.model
    users = np.arange(block.start, block.stop)
    ranked = list(recommender.recommend_batch(users, num_candidates, top_k, rules))
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
    """Return the strings as an Arrow array over the same memory."""
    return pa.LargeStringArray.from_buffers(len(table), pa.py_buffer(table.offsets), pa.py_buffer(table.blob))


def _numbers(values: np.ndarray) -> pa.Array:
    # pa.array would import pandas, a quarter of a second, to check for its types.
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def score_all(
    recommender: Recommender,
    path: Path,
    top_k: int,
    num_candidates: int,
    workers: int,
    rules: AppliedRules | None = None,
) -> int:
    """Write the recommendations for all users of a model; the file appears when it is complete.

    The processes are forked, so that they share the memory of the model.

    Returns:
        The number of users.

    Raises:
        OSError: the file can't be written.
    """
    num_users = len(recommender.model.users)
    blocks = [range(begin, min(begin + BLOCK, num_users)) for begin in range(0, num_users, BLOCK)]
    with (
        atomic(path) as unfinished,
        _writer(unfinished, path.suffix) as writer,
        ProcessPoolExecutor(workers, get_context("fork"), _begin, (recommender, rules)) as pool,
    ):
        batches = pool.map(_score, blocks, *([value] * len(blocks) for value in (top_k, num_candidates)))
        for batch, _ in zip(batches, progress(blocks, "scoring blocks of users"), strict=True):
            writer.write_batch(batch)
    return num_users


def _writer(path: Path, suffix: str) -> pq.ParquetWriter | CSVWriter:
    """Return a writer for rows of `SCHEMA`; the suffix of the file decides its format."""
    return CSVWriter(path, SCHEMA) if suffix == ".csv" else pq.ParquetWriter(path, SCHEMA)


_inherited: list[tuple[Recommender, AppliedRules | None]] = []  # in a worker process


def _begin(recommender: Recommender, rules: AppliedRules | None) -> None:
    threadpool_limits(1, user_api="blas")  # each core has a worker
    _inherited.append((recommender, rules))


def _score(block: range, top_k: int, num_candidates: int) -> pa.RecordBatch:
    recommender, rules = _inherited[0]
    return score(recommender, block, top_k, num_candidates, rules)
