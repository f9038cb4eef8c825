"""Test RMSE on the paper's split beside Surprise, five seeds each, with paired bootstrap intervals.

Nothing is chosen on the test ratings: the sweeps by validation, the peers run with their defaults.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap
from surprise import SVD, BaselineOnly, Dataset, Reader

from benchmarks.common import paper_split, report, table
from recommender.config import TrainConfig
from recommender.data.interactions import Interactions
from recommender.evaluation.evaluate import predicted_ratings
from recommender.models.training import choose_iterations, fit
from recommender.progress import progress

SEEDS = range(5)
Errors = NDArray[np.float64]  # squared errors, (seeds, test rows)


def main() -> None:
    """Fit, predict, compare."""
    with TemporaryDirectory() as tmp:
        train, test = paper_split(Path(tmp))
    contestants: dict[str, Callable[[int], NDArray[np.float64]]] = {
        "ours": lambda seed: predict_ours(train, test, seed),
        "Surprise SVD(n_factors=150)": lambda seed: predict_surprise(
            SVD(n_factors=150, random_state=seed), train, test
        ),
        "Surprise BaselineOnly (damped biases)": lambda _: predict_surprise(BaselineOnly(verbose=False), train, test),
    }
    rating = test["rating"].to_numpy(np.float64)
    errors: dict[str, Errors] = {}
    for name, predict in contestants.items():
        errors[name] = np.array([(predict(seed) - rating) ** 2 for seed in progress(SEEDS, name)])
    ours = errors["ours"]
    rows = []
    for name, squared in errors.items():
        by_seed = np.sqrt(squared.mean(axis=1))
        low, high = interval(squared, squared, lambda one, _: root_mean(one))
        difference = "" if name == "ours" else difference_of(ours, squared)
        figures = [f"{by_seed.mean():.4f}", f"{by_seed.min():.4f} to {by_seed.max():.4f}", f"{low:.3f} to {high:.3f}"]
        rows.append([name, *figures, difference])
    header = ["", "test RMSE, mean of 5 seeds", "by seed", "95 % interval", "ours minus this, paired 95 % interval"]
    report("accuracy", f"{len(train):,} train and {len(test):,} test ratings of the paper", table(header, rows))


def predict_ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Predictions of the test rows, not clipped."""
    data, config = Interactions.from_frame(train), TrainConfig(seed=seed)
    factors = fit(data, config, choose_iterations(data, config).num_iterations)
    return predicted_ratings(data.users, data.items, factors, test)


def predict_surprise(algorithm: SVD | BaselineOnly, train: pd.DataFrame, test: pd.DataFrame) -> NDArray[np.float64]:
    """Predictions of the test rows, clipped to the scale as Surprise does."""
    columns = ["user_id", "item_id", "rating"]
    algorithm.fit(Dataset.load_from_df(train[columns], Reader(rating_scale=(1, 5))).build_full_trainset())
    return np.array([prediction.est for prediction in algorithm.test(test[columns].to_numpy().tolist())])


def difference_of(ours: Errors, other: Errors) -> str:
    """The difference of the RMSEs, rows resampled in pairs."""
    low, high = interval(ours, other, lambda one, two: root_mean(one) - root_mean(two))
    return f"{root_mean(ours.mean(axis=0)) - root_mean(other.mean(axis=0)):+.4f} ({low:+.4f} to {high:+.4f})"


def interval(one: Errors, other: Errors, statistic: Callable[..., NDArray[np.float64]]) -> tuple[float, float]:
    """95 % percentile bootstrap over the test rows, each row's error averaged over the seeds."""
    pairs = (one.mean(axis=0), other.mean(axis=0))
    generator = np.random.default_rng(0)
    result = bootstrap(
        pairs, statistic, paired=True, vectorized=False, n_resamples=5_000, method="percentile", rng=generator
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def root_mean(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """The RMSE of squared errors."""
    return np.sqrt(np.mean(squared))


if __name__ == "__main__":
    main()
