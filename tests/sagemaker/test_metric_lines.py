"""Metrics are printed so that SageMaker reads them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sagemaker.metrics import metric_lines
from recommender.training.metrics import metric_definitions


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_metric_is_read_back_from_its_line(value: float) -> None:
    names = [definition["Name"] for definition in metric_definitions()]
    line = " ".join(metric_lines({name: value + number for number, name in enumerate(names)}))
    for number, definition in enumerate(metric_definitions()):
        match = re.findall(definition["Regex"], line)
        assert len(match) == 1, definition
        assert float(match[0]) == pytest.approx(value + number, rel=1e-5)
