"""What ten questions tell about a new user: `python -m study.onboarding` writes results/onboarding.md.

A fifth of the test users is hidden from training. Each is asked about ten items and has those of the own history, which
become the history of an ordinary request. A hit is the user's test item among the first ten recommendations. The
questions of the model are compared with others; nothing is chosen on test.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.common.files import write_text
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.evaluation.intervals import Estimate, estimate, mean_estimate
from recommender.hyperparameters import TrainConfig
from recommender.models.questionnaire import questionnaire
from recommender.pipeline.recommendations import Event
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model
from study.common import RESULTS, machine, table
from study.data import Data, beauty, retail_with_random_ties
from study.responses import numbers_of

SEEDS = range(3)
HIDDEN = 0.2
QUESTIONS = 10
POPULAR, NOTHING, EVERYTHING = "popular items", "no question", "the whole history is known"
Hits = dict[str, list[NDArray[np.float64]]]


def main() -> None:
    """Measure both data sets and write the table."""
    parts = []
    for data in (retail_with_random_ties(), beauty()):
        hits, answered = measure(data)
        parts.append(section(data.name, hits, answered))
    text = f"`python -m study.onboarding` on {machine()}\n\n" + "\n\n".join(parts)
    write_text(RESULTS / "onboarding.md", text + "\n")
    print(text)


def measure(data: Data) -> tuple[Hits, dict[str, float]]:
    """Return the hits of each hidden user, and the share of users who have one of the items, by kind of questions."""
    hits: Hits = {}
    answered: dict[str, list[float]] = {}
    for seed in progress(SEEDS, data.name):
        users = np.random.default_rng(seed).choice(data.users, int(len(data.users) * HIDDEN), replace=False)
        train = data.train.where(~np.isin(data.train.user_num, users))
        recommender = Recommender(fit_model(TrainConfig(seed=seed), FitContext(train, titles=data.titles)))
        history = histories_of(data, users)
        relevant = dict(zip(data.users.tolist(), data.relevant, strict=True))
        recommend = remembered(recommender)
        asked: dict[str, Sequence[int] | None] = {
            **questions(recommender, np.bincount(train.item_num, minlength=len(train.items))),
            NOTHING: (),
            EVERYTHING: None,
        }
        with threadpool_limits(1, user_api="blas"):
            for name, items in asked.items():
                answers = [
                    tuple(item for item in history[user] if items is None or item in items) for user in users.tolist()
                ]
                found = [
                    float(bool(recommend(own) & set(relevant[user].tolist())))
                    for user, own in zip(users.tolist(), answers, strict=True)
                ]
                hits.setdefault(name, []).append(np.array(found))
                answered.setdefault(name, []).append(float(np.mean([bool(own) for own in answers])))
    return hits, {name: float(np.mean(shares)) for name, shares in answered.items()}


def questions(recommender: Recommender, count: NDArray[np.int64]) -> dict[str, list[int]]:
    """Return the items of each kind of questions, as numbers."""
    items, histories = recommender.model.items, recommender.model.histories
    own = numbers_of(recommender, recommender.onboarding(QUESTIONS))
    share = np.minimum(count / (len(histories.offsets) - 1), 1 - 1e-12)
    entropy = -(share * np.log(np.maximum(share, 1e-12)) + (1 - share) * np.log(1 - share))
    return {
        "ours: items that find the next events of most users": own,
        "popularity times diversity of users": questionnaire(histories, len(items), (), QUESTIONS).tolist(),
        "popularity times entropy (Rashid 2002)": top(np.log1p(count) * entropy),
        POPULAR: top(count.astype(np.float64)),
    }


def top(score: NDArray[np.float64]) -> list[int]:
    """Return the items with the largest scores, as many as there are questions."""
    first: list[int] = np.argsort(-score, kind="stable")[:QUESTIONS].tolist()
    return first


def histories_of(data: Data, users: NDArray[np.int64]) -> Mapping[int, list[int]]:
    """Return the train items of each user, oldest first."""
    order = np.argsort(data.train.time, kind="stable")
    order = order[np.isin(data.train.user_num[order], users)]
    found: dict[int, list[int]] = {user: [] for user in users.tolist()}
    for user, item in zip(data.train.user_num[order].tolist(), data.train.item_num[order].tolist(), strict=True):
        found[user].append(item)
    return found


def remembered(recommender: Recommender) -> Callable[[tuple[int, ...]], set[int]]:
    """Return a function from the items of a new user to the first ten recommendations; it computes each once."""
    items, found = recommender.model.items, dict[tuple[int, ...], set[int]]()

    def recommend(history: tuple[int, ...]) -> set[int]:
        if history not in found:
            events = [Event(items.id(number)) for number in history]
            found[history] = {*numbers_of(recommender, recommender.recommend("a new user", events, top_k=10))}
        return found[history]

    return recommend


def section(name: str, hits: Hits, answered: Mapping[str, float]) -> str:
    """Return the table of a data set."""
    base = np.concatenate(hits[NOTHING])
    rows = []
    for kind, parts in hits.items():
        values = np.concatenate(parts)
        ratio = ratio_of(values, base)
        shown = "" if kind == NOTHING else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
        rate = mean_estimate(values)
        rows.append([kind, f"{answered[kind]:.0%}", f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f})", shown])
    return (
        f"{name}: {len(base):,} hidden users in {len(SEEDS)} draws. Without an answer, users get popular items.\n\n"
        + table(["questions", "users with an answer", "HR@10", "relative to no question"], rows)
    )


def ratio_of(values: NDArray[np.float64], base: NDArray[np.float64]) -> Estimate:
    """Return the ratio of two hit rates with its interval over users."""
    return estimate(lambda rows: np.asarray(values[rows].mean(axis=-1) / base[rows].mean(axis=-1)), len(values), 2)


if __name__ == "__main__":
    main()
