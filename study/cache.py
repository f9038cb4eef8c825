"""Results by what they are of, so that a study that was stopped goes on and a finished one costs nothing."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recommender.common.files import write_text


class Cache:
    """A folder with a JSON file for each result.

    A key holds all that a result depends on, the code that makes it included: see `code_digest`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: Mapping[str, object]) -> dict[str, Any] | None:
        """What was put under that key; None if nothing was, or the file is not whole."""
        try:
            kept = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept["result"] if kept.get("key") == _plain(key) else None

    def put(self, key: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Keep a result, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._path(key), json.dumps({"key": key, "result": result}))

    def _path(self, key: Mapping[str, object]) -> Path:
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{name[:32]}.json"


def code_digest(files: Iterable[Path]) -> str:
    """Changes with what modules do, not with comments or layout."""
    trees = [ast.dump(ast.parse(file.read_text(encoding="utf-8"))) for file in files]
    return hashlib.sha256("".join(trees).encode()).hexdigest()


def _plain(key: Mapping[str, object]) -> object:
    return json.loads(json.dumps(key))
