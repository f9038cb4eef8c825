"""The Python environment with a contestant's packages: the running one or a separate one."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

LIST = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"


@dataclass(frozen=True)
class Environment:
    """A Python environment.

    Attributes:
        python: its interpreter; None for the running environment.
    """

    python: Path | None = None

    def version(self, package: str) -> str | None:
        """Return the version of a distribution; None if it is not installed."""
        if self.python is not None:
            return _versions(self.python).get(package.lower())
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None


HERE = Environment()


@cache
def _versions(python: Path) -> dict[str, str]:
    """Return the versions of another environment's distributions by lower-case name; empty without an interpreter."""
    if not python.exists():
        return {}
    listed = subprocess.run([python, "-c", LIST], check=True, capture_output=True).stdout  # noqa: S603 - of this project
    found: dict[str, str] = json.loads(listed)
    return found
