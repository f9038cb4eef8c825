"""The house: which room may know which, and what the server does without."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from job import ROOT

PACKAGE = ROOT / "recommender"

# Every room and what it may import of the package, in the order in which data flows.
MAY_IMPORT = {
    "errors": set(),
    "validation": {"errors"},
    "progress": set(),
    "figures": set(),
    "config": {"errors", "validation"},
    "container": {"errors", "validation"},
    "options": {"errors", "config", "container"},
    "hosting": {"errors", "validation", "container"},
    "data": {"errors", "validation", "progress"},
    "inputs": {"progress", "config", "container", "data"},
    "download": {"errors", "progress", "options", "data"},
    "bundle": {"errors", "data"},
    "prepare": {"errors", "progress", "figures", "config", "options", "data"},
    "models": {"errors", "config", "container", "data"},
    "recall": {"models"},
    "rerank": set(),
    "storage": {"errors", "validation"},
    "artifacts": {"errors", "config", "container", "data", "models", "rerank", "storage"},
    "checkpoints": {"errors", "progress", "config", "data", "models", "storage"},
    "pipeline": {"errors", "config", "artifacts", "models", "recall", "rerank"},
    "evaluation": {"data", "models", "recall", "pipeline"},
    "score": {"errors", "progress", "options", "config", "container", "hosting", "data", "pipeline"},
    "report": {"errors", "validation", "progress", "figures", "config", "options", "container", "inputs", "data",
               "models", "recall", "storage", "pipeline", "evaluation"},
    "job": {"progress", "config", "container", "inputs", "data", "models", "rerank", "storage", "artifacts",
            "checkpoints", "pipeline", "evaluation", "report"},
    "tune": {"errors", "progress", "options", "config", "container", "inputs", "data", "models", "storage",
             "checkpoints"},
    "service": {"errors", "validation", "config", "container", "hosting", "pipeline"},
}  # fmt: skip
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported_rooms(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "recommender":
            names |= {f"recommender.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.split(".")[1] for name in names if name.startswith("recommender.")}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_that_come_before_it(module: Path) -> None:
    room = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert imported_rooms(module) <= MAY_IMPORT[room] | {room}


def test_no_two_rooms_import_each_other() -> None:
    done: set[str] = set()
    for room, needed in MAY_IMPORT.items():
        assert needed <= done, room
        done.add(room)


def loaded_by(module: str) -> set[str]:
    code = f"import {module}, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stdout.split()}


def test_the_server_needs_neither_torch_nor_pandas_nor_scikit_learn() -> None:
    assert loaded_by("serve") & {"torch", "pandas", "sklearn", "scipy", "pyarrow", "boto3", "sagemaker"} == set()


def test_training_needs_no_server_and_without_s3_no_boto3() -> None:
    assert loaded_by("train") & {"flask", "gunicorn", "gevent", "sagemaker", "boto3", "botocore"} == set()


def test_training_that_writes_no_report_needs_neither_matplotlib_nor_jinja2() -> None:
    assert loaded_by("recommender.job") & {"matplotlib", "jinja2"} == set()


def test_nothing_unpickles_or_evaluates() -> None:
    forbidden = {"pickle", "joblib", "shelve", "marshal"}
    for module in [*MODULES, ROOT / "train.py", ROOT / "serve.py"]:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & forbidden, module
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, module
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), module
                assert node.value.value is False, module
