"""Hit rates of cold items, which only their titles can find: `python -m study.cold` writes results/cold.md.

The rows are titles alone, and the served response with and without the rule explore.

The test events are the last events of Online Retail's users, with ties in random order. Each draw removes a tenth of
the items from train and counts the test events with one of them. One draw has too few, so there are several. All items
compete, cold or not. Training chooses the options of titles, as in every training job.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.common.files import write_text
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.evaluation.intervals import mean_estimate
from recommender.evaluation.ranking import Items, Rankings
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model
from study.common import RESULTS, machine, table
from study.data import Data, retail_with_random_ties
from study.hits.baselines import titles_alone
from study.hits.recommenders import pipeline
from study.hits.scoring import DEPTH
from study.protocols import COLD
from study.responses import numbers_of, padded

DRAWS = 8
CUTS = (5, 10, 100)
OURS, PLAIN = "ours, `candidate_sources=titles`", "TF-IDF of titles, all history weighted equally"
SERVED: Mapping[str, Mapping[str, Any]] = {
    "ours, the served response": {},
    **{f"ours, the served response with `explore` {share}": {"explore": share} for share in (0.2, 0.5, 1.0)},
}


def main() -> None:
    """Measure all draws and write the table."""
    data = retail_with_random_ties()
    ranks: dict[str, list[Rankings]] = {name: [] for name in (OURS, PLAIN, *SERVED)}
    for seed in progress(range(DRAWS), "draws"):
        drawn = cold(data, seed)
        own = pipeline(drawn.train, drawn.titles, {"candidate_sources": "titles"}, 0, drawn.times)
        plain = titles_alone(drawn.train, drawn.titles, {}, 0)
        for name, recommend in ((OURS, own), (PLAIN, plain)):
            ranks[name].append(Rankings.of(recommend(drawn.users), drawn.relevant))
        recommender = Recommender(fit_model(TrainConfig(seed=seed), FitContext(drawn.train, titles=drawn.titles)))
        for name, rules in SERVED.items():
            ranks[name].append(Rankings.of(served(recommender, drawn.users, rules), drawn.relevant))
    rows = [[name, *(rate(found, k) for k in CUTS)] for name, found in ranks.items()]
    count = sum(len(found.hit_rate(10)) for found in ranks[OURS])
    text = (
        f"`python -m study.cold` on {machine()}\n\nUCI Online Retail, {DRAWS} draws of {COLD:.0%} of the items, "
        f"{count:,} test events with one of these items in all draws together; 95 % intervals over test events.\n\n"
        + table(["", *(f"HR@{k}" for k in CUTS)], rows)
    )
    write_text(RESULTS / "cold.md", text + "\n")
    print(text)


def served(recommender: Recommender, users: NDArray[np.int64], rules: Mapping[str, Any]) -> Items:
    """Return the items of each user's response, (num_users, 100), filled with -1."""
    user_ids = [recommender.model.users.id(number) for number in users.tolist()]
    with threadpool_limits(1, user_api="blas"):
        responses = [recommender.recommend(user_id, top_k=DEPTH, **rules) for user_id in user_ids]
    return padded([numbers_of(recommender, response) for response in responses], DEPTH)


def cold(data: Data, seed: int) -> Data:
    """Return the data with `COLD` of the items removed from train, and only the test events with these items."""
    num_items = len(data.train.items)
    items = np.random.default_rng(seed).choice(num_items, int(num_items * COLD), replace=False)
    train = data.train.where(~np.isin(data.train.item_num, items))
    test = data.test.where(np.isin(data.test.item_num, items) & np.isin(data.test.user_num, train.user_num))
    return Data(f"{data.name}, cold items {seed}", train, test, data.titles)


def rate(found: list[Rankings], k: int) -> str:
    """Return the hit rate at k over all draws as text, with its 95 % interval."""
    estimate = mean_estimate(np.concatenate([one.hit_rate(k) for one in found]))
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


if __name__ == "__main__":
    main()
