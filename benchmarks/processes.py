"""Children, memory and open files of processes, read from the kernel (Linux)."""

from pathlib import Path

MEGABYTE = 1_000_000


def children_of(pid: int) -> list[int]:
    """Return the IDs of the processes that a process has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def proportional_set_size(pid: int) -> int:
    """Return the proportional set size in bytes: private pages, and this process's share of shared pages."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of a process in MB; its peak with `VmHWM`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / MEGABYTE


def open_files(pid: int) -> int:
    """Return the number of open file descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
