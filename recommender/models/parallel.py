"""Threads of the solvers."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")


@contextmanager
def one_thread_for_small(numbers: int, small: int) -> Iterator[None]:
    """Use one thread for the duration of the block if there are fewer `numbers` than `small`.

    In thousands of short operations, threads mostly wait for each other. They gain little if the cores are free.
    If the cores are busy, they make the work ten times slower (docs/experiments.md).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if numbers < small else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def parallel_map(work: Callable[[Task], None], tasks: Sequence[Task]) -> None:
    """Run independent tasks in as many threads as torch has. Raise the first error of a task.

    Torch's threads synchronize after every operation, so a thread that waits for a busy core delays all
    others. These threads synchronize only once, at the end.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(work, tasks):
            pass
