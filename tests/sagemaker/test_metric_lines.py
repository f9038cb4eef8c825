"""Metrics are printed so that SageMaker reads them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.metrics import metric_lines
from recommender.training.metrics import metric_definitions
from recommender.training.objectives import objective_of


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_regular_expression_of_each_metric_reads_its_line(value: float) -> None:
    names = [definition["Name"] for definition in metric_definitions()]
    line = " ".join(metric_lines({name: value + number for number, name in enumerate(names)}))
    for number, definition in enumerate(metric_definitions()):
        match = re.findall(definition["Regex"], line)
        assert len(match) == 1, definition
        assert float(match[0]) == pytest.approx(value + number, rel=1e-5)


MOST = 40  # definitions of one job (contract T21)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {},
            ["validation_rmse", "validation_final_ndcg_at_100", "validation_ease_ndcg_at_100", "num_targets",
             "test_rmse", "test_hit_rate_at_5", "test_ndcg_at_10", "test_mrr_at_100", "test_coverage_at_10",
             "paper_hit_rate_at_10", "paper_ndcg_at_10", "popularity_hit_rate_at_10", "titles_ndcg_at_10"],
        ),
        (
            {"pipeline": "paper"},
            ["validation_rmse", "test_rmse", "test_ndcg_at_10", "factorization_mrr_at_5", "popularity_novelty_at_10"],
        ),
        (
            {"candidate_sources": "neighbours"},
            ["validation_neighbours_ndcg_at_100", "neighbours_hit_rate_at_100", "popularity_hit_rate_at_100"],
        ),
    ],
)  # fmt: skip
def test_metric_definitions_have_the_main_metrics_and_the_objective(
    values: dict[str, object], expected: list[str]
) -> None:
    config = TrainConfig.from_hyperparameters(values, "test")
    names = [definition["Name"] for definition in metric_definitions(config)]
    assert len(names) == len(set(names)) <= MOST
    assert {*expected, objective_of(config).metric} <= set(names)
    if "pipeline" in values or "candidate_sources" in values:
        assert not any(name.startswith("paper_") for name in names)
