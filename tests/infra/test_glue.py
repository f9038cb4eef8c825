"""The Glue job: its definition against AWS's own description of the API, its script's arguments."""

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


def test_the_job_has_the_shape_of_the_api() -> None:
    shape = ServiceModel(Loader().load_service_model("glue", "service-2")).operation_model("CreateJob").input_shape
    assert shape is not None
    report = ParamValidator().validate(JOB, shape)
    assert not report.has_errors(), report.generate_report()
    assert ParamValidator().validate({**JOB, "Workers": 3}, shape).has_errors()


def test_every_argument_of_the_job_is_glues_own_or_an_option_of_the_command() -> None:
    options = runpy.run_path(str(GLUE / "prepare.py"))["OPTIONS"]
    glues_own = {
        "--extra-py-files",
        "--additional-python-modules",
        "--python-modules-installer-option",
        "--enable-continuous-cloudwatch-log",
        "--enable-metrics",
    }
    assert JOB["DefaultArguments"].keys() - glues_own <= options
    assert glues_own.isdisjoint(options)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--JOB_ID j true --reviews a --TempDir t --output=b --min-items 3", "--reviews a --output=b --min-items 3"),
        ("--JOB_NAME x", ""),
        ("--output", "--output"),
    ],
)
def test_the_script_takes_its_own_arguments_from_among_glues(given: str, expected: str) -> None:
    own = runpy.run_path(str(GLUE / "prepare.py"))["own"]
    assert own(given.split()) == expected.split()


def test_the_versions_are_those_of_glue_and_of_the_project() -> None:
    locked = set((ROOT / "requirements-dev.txt").read_text().splitlines())
    assert JOB["GlueVersion"] == "5.1"
    assert "AWS Glue 5.1" in (ROOT / "pyproject.toml").read_text()
    assert "pyspark==3.5.6" in locked
    needed = {line.split()[0] for line in Path(GLUE / "requirements.txt").read_text().splitlines() if line[0] != "#"}
    assert needed <= locked
