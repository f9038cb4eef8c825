"""How many threads a solver uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread_for_small(numbers: int, small: int) -> Iterator[None]:
    """Work of fewer numbers than `small` is done by one thread.

    Threads that wait for each other between thousands of short operations gain little on a free machine,
    and on one whose cores are busy they make the work slower by an order of magnitude (docs/experiments.md).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if numbers < small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
