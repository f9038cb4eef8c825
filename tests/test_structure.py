"""The house: which room may know which, and what the server does without."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support.job import ROOT

PACKAGE = ROOT / "recommender"

# The rooms, in the order in which data passes through them: a room imports only from rooms before it.
ROOMS = (
    "errors", "common", "config", "sagemaker", "data", "synthetic", "models", "components", "attributes", "candidates",
    "ranking", "hyperparameters", "artifacts", "rules", "pipeline", "evaluation", "training", "pages", "report",
    "prepare", "service", "cli", "__main__",
)  # fmt: skip
MAX_LOOSE_MODULES = 3
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported_rooms(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "recommender":
            names |= {f"recommender.{alias.name}" for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.split(".")[1] for name in names if name.startswith("recommender.")}


def test_the_list_has_exactly_the_rooms_of_the_package() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_that_come_before_it(module: Path) -> None:
    room = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert imported_rooms(module) <= set(ROOMS[: ROOMS.index(room) + 1])


def test_few_modules_are_outside_of_rooms() -> None:
    loose = [path.stem for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__")]
    assert len(loose) <= MAX_LOOSE_MODULES


def test_the_study_imports_nothing_of_the_benchmarks() -> None:
    for module in (ROOT / "study").rglob("*.py"):
        assert "benchmarks" not in module.read_text(), module


def loaded_by(code: str) -> set[str]:
    """The top-level packages that are loaded after this code."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in result.stdout.split()}


HEAVY = {"torch", "pandas", "sklearn", "scipy", "pyarrow", "boto3", "sagemaker", "matplotlib", "numba", "llvmlite"}


@pytest.mark.parametrize("code", ["import serve", "from recommender import Recommender", "import recommender.__main__"])
def test_the_server_needs_neither_torch_nor_pandas_nor_scikit_learn(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()


def test_components_are_found_without_the_packages_of_their_fits() -> None:
    assert loaded_by("from recommender.hyperparameters import COMPONENTS, TrainConfig; TrainConfig()") & HEAVY == set()


def test_training_needs_no_server_and_without_s3_no_boto3() -> None:
    code = "import train; import recommender.training.job"
    assert loaded_by(code) & {"flask", "gunicorn", "gevent", "sagemaker", "boto3", "botocore"} == set()


def test_training_that_writes_no_report_needs_neither_matplotlib_nor_jinja2() -> None:
    assert loaded_by("import recommender.training.job") & {"matplotlib", "jinja2"} == set()


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
