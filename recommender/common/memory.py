"""The memory that this process may use."""

import os
from contextlib import suppress
from pathlib import Path

LIMIT_FILES = (  # of the container: cgroup v2, v1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_bytes() -> int:
    """Return the bytes of memory: those of the machine, or the limit of the container if that is lower."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in LIMIT_FILES:
        with suppress(OSError, ValueError):  # no such cgroup, or "max"
            found.append(int(file.read_text()))
    return min(found)
