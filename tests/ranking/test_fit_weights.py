"""The fit of the ranking's weights: it recovers planted weights, and the loss has its minimum there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recommender.ranking.fit_weights import PRIOR, Example, fit_weights

Doubles = NDArray[np.float64]


def drawn(weights: Doubles, count: int, num_candidates: int, seed: int = 0) -> list[Example]:
    """Draw candidates with random numbers, and each target by the softmax of these weights."""
    random = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        table = random.random((len(weights), num_candidates))
        likelihood = np.exp(weights @ table)
        target = int(random.choice(num_candidates, p=likelihood / likelihood.sum()))
        examples.append(Example(table.astype(np.float32), target))
    return examples


def loss(examples: list[Example], weights: Doubles, prior: Doubles) -> float:
    total = PRIOR / 2 * float(((weights - prior) ** 2).sum())
    for example in examples:
        if example.target is not None:
            score = weights @ example.columns.astype(np.float64)
            total += float(np.log(np.exp(score - score.max()).sum()) + score.max() - score[example.target])
    return total


def gradient(examples: list[Example], weights: Doubles, prior: Doubles, step: float = 1e-4) -> Doubles:
    """Return the slope of the loss in each weight, by differences."""
    steps = step * np.eye(len(weights))
    slopes = [loss(examples, weights + one, prior) - loss(examples, weights - one, prior) for one in steps]
    return np.array(slopes) / (2 * step)


def test_the_fit_recovers_planted_weights() -> None:
    planted = np.array([6.0, 0.0, 3.0, 0.0])
    found = fit_weights(drawn(planted, 4_000, 20), np.ones(4))
    assert np.allclose(found, planted, atol=0.3)


def test_an_informative_column_gets_the_weight_and_noise_hardly_any() -> None:
    """Use a first column that marks the target in four of five cases, two columns of noise and a constant one."""
    random = np.random.default_rng(0)
    examples = []
    for _ in range(2_000):
        target, named = random.integers(30, size=2)
        is_named = np.arange(30) == (target if random.random() < 0.8 else named)
        table = np.array([is_named, random.random(30), random.random(30), np.zeros(30)])
        examples.append(Example(table.astype(np.float32), int(target)))
    found = fit_weights(examples, np.array([0.0, 1.0, 1.0, 1.0]))
    assert found[0] == pytest.approx(np.log(29 * 0.8 / 0.2), abs=0.3)
    assert found[1:3].max() < 0.25
    assert found[3] == pytest.approx(1.0)  # it keeps its weight


def test_a_column_that_ranks_targets_last_gets_weight_0() -> None:
    examples = drawn(np.array([5.0, 2.0]), 500, 10)
    sign = np.array([[-1], [1]], np.float32)
    reversed_first = [Example(sign * example.columns, example.target) for example in examples]
    found = fit_weights(reversed_first, np.array([1.0, 1.0]))
    assert found[0] == 0
    assert found[1] == pytest.approx(2.0, abs=0.5)


def test_without_any_target_among_the_candidates_the_prior_stays() -> None:
    prior = np.array([1.0, 0.2, 0.0])
    table = np.ones((3, 4), np.float32)
    for examples in ([], [Example(table, None)], [Example(np.empty((3, 0), np.float32), None)] * 5):
        assert fit_weights(examples, prior).tolist() == prior.tolist()


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 5), st.integers(1, 12))
def test_the_loss_has_its_least_value_at_the_weights(
    seed: int, count: int, num_columns: int, num_candidates: int
) -> None:
    """Check numerically that no weight above 0 has a slope, and no weight of 0 a downward one."""
    random = np.random.default_rng(seed)
    prior = random.choice([0.0, 0.2, 1.0], num_columns)
    examples = drawn(random.choice([0.0, 2.0, 8.0], num_columns), count, num_candidates, seed)
    examples.append(Example(np.ones((num_columns, 3), np.float32), None))
    found = fit_weights(examples, prior)
    slope = gradient(examples, found, prior)
    assert (found >= 0).all()
    assert (slope >= -0.02).all()
    assert (np.abs(slope[found > 1e-6]) <= 0.02).all()
    for other in (prior, found * 0.9, found + 0.05):
        assert loss(examples, found, prior) <= loss(examples, other, prior) + 1e-4


def test_a_candidate_list_may_have_any_length() -> None:
    short, long = drawn(np.array([3.0]), 50, 2), drawn(np.array([3.0]), 50, 40, seed=1)
    mixed = fit_weights([*short, *long], np.array([1.0]))
    assert gradient([*short, *long], mixed, np.array([1.0]))[0] == pytest.approx(0, abs=0.02)


def test_scores_too_large_for_the_exponential_give_finite_weights() -> None:
    table = np.array([[1e4, 0.0, 1e4]], np.float32)
    assert np.isfinite(fit_weights([Example(table, 0), Example(table, 1)], np.array([1.0]))).all()
