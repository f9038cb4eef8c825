"""The Glue job: its definition against AWS's description of the API, and the arguments of its script."""

import json
import runpy
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from support.job import ROOT

GLUE = ROOT / "infra" / "glue"
JOB = json.loads((GLUE / "job.json").read_text())


def test_the_job_definition_is_valid_for_the_glue_api() -> None:
    shape = ServiceModel(Loader().load_service_model("glue", "service-2")).operation_model("CreateJob").input_shape
    assert shape is not None
    report = ParamValidator().validate(JOB, shape)
    assert not report.has_errors(), report.generate_report()
    assert ParamValidator().validate({**JOB, "Workers": 3}, shape).has_errors()


def test_every_argument_of_the_job_belongs_to_glue_or_to_the_command() -> None:
    options = runpy.run_path(str(GLUE / "prepare.py"))["OPTIONS"]
    of_glue = {
        "--extra-py-files",
        "--additional-python-modules",
        "--python-modules-installer-option",
        "--enable-continuous-cloudwatch-log",
        "--enable-metrics",
    }
    assert JOB["DefaultArguments"].keys() - of_glue <= options
    assert of_glue.isdisjoint(options)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--JOB_ID j true --reviews a --TempDir t --output=b --min-items 3", "--reviews a --output=b --min-items 3"),
        ("--JOB_NAME x", ""),
        ("--output", "--output"),
    ],
)
def test_the_script_ignores_the_arguments_of_glue(given: str, expected: str) -> None:
    options_in = runpy.run_path(str(GLUE / "prepare.py"))["options_in"]
    assert options_in(given.split()) == expected.split()


def test_versions_match_glue_and_the_locked_requirements() -> None:
    locked = set((ROOT / "requirements-dev.txt").read_text().splitlines())
    assert JOB["GlueVersion"] == "5.1"
    assert "AWS Glue 5.1" in (ROOT / "pyproject.toml").read_text()
    assert "pyspark==3.5.6" in locked
    needed = {line.split()[0] for line in Path(GLUE / "requirements.txt").read_text().splitlines() if line[0] != "#"}
    assert needed <= locked
