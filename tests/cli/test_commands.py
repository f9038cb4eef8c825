"""The console command: its sub-commands, and its errors if an extra is not installed."""

import os
import subprocess
import sys
import tempfile

import pytest
from support.job import ROOT

from recommender.__main__ import COMMANDS
from recommender.common.extras import EXTRAS


def run(*arguments: str, without: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the command in a Python that can't import some packages."""
    hidden = ", ".join(f"{package!r}: None" for package in EXTRAS.get(without, ()))
    code = (
        f"import sys; sys.modules |= {{{hidden}}}; from recommender.__main__ import main; main(prog_name='recommender')"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"SAGEMAKER_BASE_DIR": folder}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    text = run("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    result = run(name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: recommender {name} ")


def test_an_unknown_command_is_an_error_that_names_it() -> None:
    result = run("bogus")
    assert result.returncode == 2
    assert "'bogus'" in result.stderr


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("serve", ["serve"]),
        ("train", ["train", "--train", "README.md"]),
        ("prepare", ["prepare", "--reviews", "a", "--metadata", "b", "--output", "c"]),
        ("prepare", ["download", "Gift_Cards"]),
        ("train", ["score", "--output", "scores.parquet"]),
        ("train", ["tune", "--train", "README.md"]),
        ("tune", ["tune", "--train", "README.md"]),
        ("train", ["report"]),
    ],
)
def test_the_error_for_a_missing_package_names_its_extra(extra: str, arguments: list[str]) -> None:
    result = run(*arguments, without=extra)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f" is not installed: run pip install '.[{extra}]' in the project's folder")
