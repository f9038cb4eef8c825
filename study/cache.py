"""Result cache keyed by inputs and code: a stopped study resumes, and a finished one computes nothing."""

import ast
import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.common.files import write_text

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Cache:
    """A folder with a JSON file for each result.

    A key holds everything that a result depends on, including the code that computes it: see `code_digest`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: Mapping[str, object]) -> dict[str, Any] | None:
        """Return the result stored under this key; None if there is no file or it is incomplete."""
        try:
            kept = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept["result"] if kept.get("key") == _plain(key) else None

    def put(self, key: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Store a result atomically: a reader finds the whole result or none."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._path(key), json.dumps({"key": key, "result": result}))

    def _path(self, key: Mapping[str, object]) -> Path:
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{name[:32]}.json"


def code_digest(files: Iterable[Path]) -> str:
    """Return a digest that changes with the code of modules, not with comments, docstrings or layout."""
    return digest_of_sources(file.read_text(encoding="utf-8") for file in files)


def digest_of_sources(sources: Iterable[str]) -> str:
    """Return a digest that changes with source code, not with comments, docstrings or layout."""
    trees = [ast.dump(_without_docstrings(ast.parse(source))) for source in sources]
    return hashlib.sha256("".join(trees).encode()).hexdigest()


def packed(items: NDArray[np.int64]) -> dict[str, object]:
    """Return item numbers as a JSON object: the shape, and zlib-compressed int32 in base64."""
    content = zlib.compress(items.astype(np.int32).tobytes(), 6)
    return {"shape": list(items.shape), "zlib_int32": base64.b64encode(content).decode()}


def unpacked(kept: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the item numbers of the result of `packed`, int64."""
    content = zlib.decompress(base64.b64decode(kept["zlib_int32"]))
    return np.frombuffer(content, np.int32).reshape(kept["shape"]).astype(np.int64)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Pass()
    return tree


def _plain(key: Mapping[str, object]) -> object:
    return json.loads(json.dumps(key))
