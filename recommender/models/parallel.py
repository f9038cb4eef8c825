"""How many threads a solver uses."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")


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


def parallel_map(work: Callable[[Task], None], tasks: Sequence[Task]) -> None:
    """Independent tasks, each done by one of as many threads as torch has; an error of one of them is raised.

    Threads of torch's own meet after every operation, and one that has to wait for a busy core holds up all
    the others; these meet once, at the end.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(work, tasks):
            pass
