"""The number of threads that a solver uses."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")


@contextmanager
def one_thread_for_small(numbers: int, small: int) -> Iterator[None]:
    """Use one thread for the length of the block if there are fewer `numbers` than `small`.

    Threads that wait for each other between thousands of short operations gain little on a free machine.
    If the cores are busy, they slow the work down by an order of magnitude (docs/experiments.md).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if numbers < small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def parallel_map(work: Callable[[Task], None], tasks: Sequence[Task]) -> None:
    """Run independent tasks, each in one of as many threads as torch has; raise the error of a task.

    Torch's own threads synchronize after every operation, so one that waits for a busy core delays all
    others. These threads synchronize once, at the end.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(work, tasks):
            pass
