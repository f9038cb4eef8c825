"""What the README says of names, defaults, files and figures is what the code says."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import settings
from support.job import ROOT
from test_structure import ROOMS

from docs import generate
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Because
from recommender.ranking.base import ITEM_FIELDS
from recommender.sagemaker import server_environment
from recommender.sagemaker.server_environment import ServerSettings

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", generate.DOCUMENTS)
def test_what_documents_say_of_options_sources_and_features_is_what_the_code_says(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == generate.generated(text, generate.DOCUMENTS[name]), "run make docs"


def test_defaults_and_bounds_of_a_request_are_those_of_the_code() -> None:
    assert f"| `top_k` | {LIMITS.top_k} | recommendations, 1 to {LIMITS.max_top_k:,} |" in README
    assert f"| `num_candidates` | {LIMITS.num_candidates} |" in README
    assert f"`top_k` to {LIMITS.max_num_candidates:,}" in README
    assert f"| `exclude_seen` | {str(LIMITS.exclude_seen).lower()} |" in README
    assert f"at most {LIMITS.max_history:,}: events that the model has not seen" in README
    assert f"at most {LIMITS.max_instances:,} records" in README
    assert f"{LIMITS.max_candidates_in_all:,} candidates in all" in README
    assert f"{ServerSettings().max_payload_in_mb} MiB" in README


def test_the_example_of_a_response_has_the_fields_of_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    response = json.loads(text)
    item, because = response["items"][0], [field.name for field in fields(Because)]
    names = [name for name in ITEM_FIELDS if name not in ("sources", "because")]
    assert list(response) == ["user_id", "recommended_items", "items", "source"]
    assert list(item) == [*names, "similarity", "sources", "because"]
    assert all(list(part) == because for part in item["because"])
    section = README.partition("| in the response | |")[2].partition("\n\n")[0]
    described = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert described == ["source", *[name for name in item if name not in ("item_id", "title")]]


def test_the_variables_of_the_server_are_those_of_the_code() -> None:
    section = README.partition("| variable | default |")[2].partition("\n\n")[0]
    named = {
        value
        for value in vars(server_environment).values()
        if isinstance(value, str) and value.startswith(("SAGEMAKER_", "SERVER_", "RECOMMENDER_"))
    }
    assert set(re.findall(r"`([A-Z0-9_]+)` \|", section)) == named
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


def test_the_rooms_are_those_of_the_package_in_their_order() -> None:
    text = README.rpartition("```\nrecommender/\n")[2].partition("```")[0]
    rooms = re.findall(r"^  (\w+)", text, re.MULTILINE)
    assert rooms == [room for room in ROOMS if room != "__main__"]
    tops = [name for line in re.findall(r"^\w.*?(?=  )", text, re.MULTILINE) for name in line.split(", ")]
    assert [name for name in tops if not (ROOT / name).exists()] == []


def test_every_benchmark_is_in_their_table() -> None:
    listed = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert path.name in listed or path.name == "__init__.py"


def test_every_figure_of_the_results_is_one_that_a_benchmark_has_written() -> None:
    written = {line for file in (ROOT / "results").glob("*.md") for line in file.read_text().splitlines()}
    # The generated parts are compared above.
    by_hand = re.sub(r"<!-- begin generated.*?end generated -->", "", README, flags=re.DOTALL)
    sections = [by_hand.partition(heading)[2].partition("\n## ")[0] for heading in ("## Results", "## In containers")]
    rows = [line for section in sections for line in section.splitlines() if line.startswith("|")]
    aws = README.partition("## On AWS")[2].partition("\n## ")[0]
    rows += re.findall(r"^\|.*\d ms \|.*$", aws, re.MULTILINE)
    assert len(rows) > 20
    assert [row for row in rows if row not in written] == []


def run_example(number: int, folder: Path) -> str:
    """Run a Python example of the README on random ratings; returns what it prints."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[number]
    random = np.random.default_rng(0)
    columns = {"user_id": random.integers(0, 40, 400), "item_id": random.integers(0, 60, 400), "rating": 5,
               "timestamp": np.arange(400)}  # fmt: skip
    pd.DataFrame(columns).to_csv(folder / "ratings.csv", index=False)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_python_api_runs(tmp_path: Path) -> None:
    items, source = run_example(0, tmp_path).splitlines()[-2:]
    assert items.count("'") == 6
    assert source == "fold_in"


def test_the_example_of_measuring_runs(tmp_path: Path) -> None:
    assert run_example(1, tmp_path).count("Estimate(value=") == 7


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([\w-]+)", README)) <= targets
    assert {"demo", "test", "check", "benchmark"} <= targets


def test_every_guarantee_names_a_test_that_exists() -> None:
    section = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8").partition("## Which test shows it")[2]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| what", "| ---"))]
    named = [re.findall(r"\[`(\w+)`\]\(\.\./(tests/[\w/]+\.py)\) \|$", line) for line in rows]
    assert [len(found) for found in named] == [1] * len(rows)
    assert len(rows) > 50
    for ((name, file),) in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}: {name}"


def test_every_line_of_the_contract_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", (ROOT / "docs" / "contract.md").read_text(), re.MULTILINE)
    files = ("container/test_image.py", "function/test_handler.py")
    tests = "".join((ROOT / "tests" / file).read_text() for file in files)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    missing = [number for number, test in rows if not (test.startswith("`") and f"def {test[1:-1]}(" in tests)]
    assert missing == ["24"]
