"""What the kernel says of processes: children, memory, open files (Linux)."""

from pathlib import Path

MEGABYTE = 1_000_000


def children_of(pid: int) -> list[int]:
    """Return the processes that this one has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def proportional_set_size(pid: int) -> int:
    """Return the bytes of private pages, and of shared ones this process's share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of a process in MB; `VmHWM`: the largest that it has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / MEGABYTE


def open_files(pid: int) -> int:
    """Return the number of descriptors that a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
