"""Progress: a bar on a terminal, or a plain line in a log."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from tqdm import tqdm

from recommender.common.output import say

T = TypeVar("T")


def progress(items: Collection[T], description: str) -> Iterator[T]:
    """Yield the items and show the progress on stderr."""
    bar = tqdm(items, desc=description, disable=None)  # None: only if stderr is a terminal
    if bar.disable:
        say(f"{description}: {len(items):,} ...")
    yield from bar


@contextmanager
def reading(path: Path, description: str) -> Iterator[BinaryIO]:
    """Open a file for reading bytes and show the progress on stderr."""
    size = path.stat().st_size
    if not sys.stderr.isatty():
        say(f"{description}: {size / 1e6:,.0f} MB ...")
    with path.open("rb") as file, tqdm.wrapattr(file, "read", size, desc=description, disable=None) as watched:
        yield cast(BinaryIO, watched)
