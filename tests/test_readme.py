"""What the README says of names, defaults, files and figures is what the code says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import settings
from job import ROOT
from pydantic.fields import FieldInfo

from recommender import hosting
from recommender.config import SERVE, Config, PrepareConfig, TrainConfig
from recommender.hosting import ServerSettings
from recommender.options import shown, words_of

README = (ROOT / "README.md").read_text(encoding="utf-8")


def range_of(field: FieldInfo) -> str:
    if words_of(field):
        return ", ".join(words_of(field))
    if field.default is None:
        return "a date"
    bounds = {type(bound).__name__: getattr(bound, type(bound).__name__.lower()) for bound in field.metadata}
    if not bounds:
        return "any number"
    if "Gt" in bounds:
        return f"above {bounds['Gt']:g}, to {bounds['Le']:g}"
    highest = f"{bounds['Le']:g}" if "Le" in bounds else f"2^{bounds['Lt'].bit_length() - 1} - 1"
    return f"{bounds['Ge']:g} to {highest}"


def rows_of_table(heading: str) -> list[str]:
    """The rows of the table below a heading that begin with a name."""
    section = re.split(r"\n##+ ", README.partition(f"{heading}\n")[2])[0]
    return [line for line in section.splitlines() if re.match(r"\| `\w+` \|", line)]


@pytest.mark.parametrize(
    ("heading", "config"), [("### From raw reviews", PrepareConfig), ("### Hyper-parameters", TrainConfig)]
)
def test_the_tables_of_settings_are_those_of_the_code(heading: str, config: type[Config]) -> None:
    expected = [
        re.sub(
            " +", " ", f"| `{name}` | {'' if field.default is None else shown(field.default)} | {range_of(field)} | "
        )
        + f"{field.description} |"
        for name, field in config.model_fields.items()
    ]
    assert rows_of_table(heading) == expected


def test_defaults_and_bounds_of_a_request_are_those_of_the_code() -> None:
    assert f"| `top_k` | {SERVE.top_k} | recommendations, 1 to {SERVE.max_top_k:,} |" in README
    assert f"| `num_candidates` | {SERVE.num_candidates} |" in README
    assert f"`top_k` to {SERVE.max_num_candidates:,}" in README
    assert f"| `exclude_seen` | {str(SERVE.exclude_seen).lower()} |" in README
    assert f"at most {SERVE.max_history:,}: what" in README
    assert f"at most {SERVE.max_instances:,} records" in README
    assert f"{SERVE.max_candidates_in_all:,} candidates\nin all" in README
    assert f"{ServerSettings().max_payload_in_mb} MiB" in README


def test_the_variables_of_the_server_are_those_of_the_code() -> None:
    section = README.partition("| variable | default |")[2].partition("\n\n")[0]
    named = {value for value in vars(hosting).values() if isinstance(value, str) and value.startswith("SAGEMAKER_")}
    assert set(re.findall(r"`(SAGEMAKER_\w+)` \|", section)) == named
    server = ServerSettings()
    for default in (server.port, server.timeout, server.max_payload_in_mb):
        assert f"| {default} |" in section


def test_the_variables_of_the_function_are_those_of_its_code() -> None:
    section = README.partition("| variable of the function |")[2].partition("\n\n")[0]
    names = (
        settings.ENDPOINT_NAME,
        settings.REGION,
        settings.CONNECT_TIMEOUT,
        settings.READ_TIMEOUT,
        settings.CORS_ORIGIN,
    )
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(names)
    assert f"| {settings.DEFAULT_CONNECT_TIMEOUT:g} |" in section
    assert f"| {settings.DEFAULT_READ_TIMEOUT:g} |" in section
    assert f"both together at most {settings.MOST_SECONDS:g} |" in section


def tree_paths() -> set[str]:
    """The files of the README's tree, by their indentation."""
    text = README.rpartition("```\ntrain.py")[2].partition("```")[0]
    folders: list[str] = []
    paths = set()
    for line in ("train.py" + text).splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            paths.add("".join(folders) + name)
    return paths


def test_the_tree_has_one_line_for_every_file() -> None:
    paths = {path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()}
    expected = {
        str(path)
        for path in paths
        if not path.parts[0].startswith(".") or path.parts[0] == ".ci"
        if path.parts[0] not in {"tests", "benchmarks", "results", "build", "README.md"}
        and "__pycache__" not in path.parts
        if path.name != "__init__.py"
    }
    assert tree_paths() == expected


def test_every_benchmark_is_in_their_table() -> None:
    listed = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert path.name in listed or path.name == "__init__.py"


def test_every_figure_of_the_results_is_one_that_a_benchmark_has_written() -> None:
    written = {line for file in (ROOT / "results").glob("*.md") for line in file.read_text().splitlines()}
    sections = [README.partition(heading)[2].partition("\n## ")[0] for heading in ("## Results", "## In containers")]
    rows = [line for section in sections for line in section.splitlines() if line.startswith("|")]
    aws = README.partition("## On AWS")[2].partition("\n## ")[0]
    rows += re.findall(r"^\|.*\d ms \|.*$", aws, re.MULTILINE)
    assert len(rows) > 20
    assert [row for row in rows if row not in written] == []


def test_the_example_of_measuring_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    random = np.random.default_rng(0)
    columns = {"user_id": random.integers(0, 40, 400), "item_id": random.integers(0, 60, 400), "rating": 5,
               "timestamp": np.arange(400)}  # fmt: skip
    pd.DataFrame(columns).to_csv(tmp_path / "ratings.csv", index=False)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Figure(value=") == 7


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([\w-]+)", README)) <= targets
    assert {"demo", "test", "check", "benchmark"} <= targets


def test_every_line_of_the_contract_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", (ROOT / "docs" / "contract.md").read_text(), re.MULTILINE)
    files = ("container/test_image.py", "function/test_handler.py")
    tests = "".join((ROOT / "tests" / file).read_text() for file in files)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    missing = [number for number, test in rows if not (test.startswith("`") and f"def {test[1:-1]}(" in tests)]
    assert missing == ["24"]
