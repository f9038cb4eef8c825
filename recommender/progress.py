"""A bar on a terminal; a plain line where there is none (a job's log)."""

import sys
from collections.abc import Collection, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Collection[T], description: str) -> Iterator[T]:
    """Iterate over `items` and show how far it is, on stderr."""
    bar = tqdm(items, desc=description, disable=None)  # None: only where stderr is a terminal
    if bar.disable:
        say(f"{description}: {len(items):,} ...")
    yield from bar


def say(line: str) -> None:
    """Print a line on stdout at once, above the bar if there is one."""
    tqdm.write(line)
    sys.stdout.flush()
