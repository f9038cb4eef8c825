import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.evaluation.ratings import mae_estimate, rmse_difference, rmse_estimate

GENERATOR = np.random.default_rng(0)


def test_the_interval_equals_that_of_an_explicit_bootstrap() -> None:
    errors = GENERATOR.normal(size=(3, 200))
    rows = np.random.default_rng(1).integers(0, 200, (4_000, 200))
    means = [np.mean([np.sqrt(np.mean(of_fit[resample] ** 2)) for of_fit in errors]) for resample in rows]
    found = rmse_estimate(errors)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.005)


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 99))
def test_estimates_are_means_over_the_fits(seeds: int, length: int, seed: int) -> None:
    errors = np.random.default_rng(seed).normal(size=(seeds, length))
    assert rmse_estimate(errors).value == pytest.approx(np.mean([np.sqrt(np.mean(own**2)) for own in errors]))
    assert mae_estimate(errors).value == pytest.approx(np.abs(errors).mean())


def test_a_paired_difference_is_clear_although_the_two_intervals_overlap() -> None:
    one = GENERATOR.normal(size=(1, 1_000))
    other = one * 1.02
    first, second, difference = rmse_estimate(one), rmse_estimate(other), rmse_difference(one, other)
    assert first.high > second.low
    assert difference.low < difference.value < difference.high < 0
    assert difference.value == pytest.approx(first.value - second.value)


def test_the_difference_of_a_model_from_itself_is_0() -> None:
    errors = GENERATOR.normal(size=(2, 50))
    found = rmse_difference(errors, errors)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_errors_on_different_numbers_of_ratings_are_refused() -> None:
    with pytest.raises(ValueError, match="expected both on the same ratings, got 3 and 4"):
        rmse_difference(np.zeros((1, 3)), np.zeros((1, 4)))


def test_a_single_rating_has_an_interval_of_one_point() -> None:
    assert rmse_estimate(np.array([[2.0]])).high == 2
