"""The number of cores and of threads that this process may use."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
NUM_THREADS = "OMP_NUM_THREADS"


def available_cores(cgroups: Path = CGROUPS, own_cgroups: Path = OWN_CGROUPS) -> int:
    """Return the number of cores that this process may use: those it may run on, within the quota of its container.

    `docker run --cpus 1.5` sets a quota, which counts as 2 cores. os.cpu_count() does not know it.

    Args:
        cgroups: where the kernel shows control groups, of version 1 or 2.
        own_cgroups: names the control groups of this process.
    """
    quotas = [ceil(quota) for folder in _folders(cgroups, own_cgroups) if (quota := _quota(folder)) is not None]
    return max(1, min([_granted(), *quotas]))


def limit_threads() -> None:
    """Let libraries that are imported later use no more threads than the container has cores.

    torch, BLAS and Arrow count the machine's cores and know no quota: 96 threads would wait for each other on one
    core. They all read OMP_NUM_THREADS. A value that is set already stays, and so does every library's own choice
    where there is no quota.
    """
    if (cores := available_cores()) < _granted():
        os.environ.setdefault(NUM_THREADS, str(cores))


def _granted() -> int:
    """Return the number of cores that this process may run on. Not every platform tells them from all cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _folders(cgroups: Path, own_cgroups: Path) -> Iterator[Path]:
    """Yield the folders of the process's control groups and of those around them: each of them may have a quota."""
    for line in _read(own_cgroups).splitlines():
        controllers, separator, path = line.partition(":")[2].partition(":")
        if not separator or (controllers and "cpu" not in controllers.split(",")):
            continue
        own = PurePosixPath(path.lstrip("/"))
        for root in (cgroups, cgroups / controllers, cgroups / "cpu"):
            yield from (root / part for part in (own, *own.parents) if ".." not in part.parts)


def _quota(folder: Path) -> float | None:
    """Return the CPU time of a control group per unit of time; None if it is not limited."""
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")  # version 2
    if not quota:
        quota, period = _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
    if not (quota.isdigit() and period.isdigit() and int(period) > 0):  # "max" or -1: no limit
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
