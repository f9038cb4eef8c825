"""Folders that one worker of pytest-xdist fills for all."""

import fcntl
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shared:
    """A folder that all workers of one test run use."""

    root: Path

    def folder(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return a folder filled by `make`; tests must not change it.

        The first worker that needs the folder calls `make`; the others wait. If `make` fails, the next worker calls it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder, done = self.root / name, self.root / f"{name}.done"
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a worker that dies releases it
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder
