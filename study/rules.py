"""What each rule costs: `python -m study.rules` writes results/costs-of-rules.md.

Each test user makes an ordinary request with a rule. Accuracy is that of the test items; the difference from the
request without a rule is taken user by user. Coverage is the share of the catalogue that some user gets, and Gini tells
how unequally the items are shown. Rules have a cost by design: the table shows how much, so that a shop can choose.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from recommender.attributes.attributes import Attributes
from recommender.common.files import write_text
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.evaluation.intervals import mean_estimate
from recommender.evaluation.ranking import Items, Rankings, coverage, gini
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.rules.explore import FEW_EVENTS
from recommender.training.fit_model import fit_model
from study.common import RESULTS, machine, table
from study.data import Data, beauty_with_titles, retail_basket
from study.responses import numbers_of, padded

K = 10
MAX_USERS = 5_000
COMMON = 20  # a kind has at least this many items
PROMOTED = 0.05  # share of the items
PROMOTE = {"promoted": {"is": True}}
NO_RULE = "no rule"
RULES: Mapping[str, Mapping[str, Any]] = {
    NO_RULE: {},
    "`max_per` kind 2": {"max_per": {"kind": 2}},
    "`max_per` kind 1": {"max_per": {"kind": 1}},
    **{f"`diversity` {value}": {"diversity": value} for value in (0.1, 0.3, 0.5, 0.7)},
    **{f"`promote` {value}": {"promote": {"filter": PROMOTE, "share": value}} for value in (0.1, 0.2, 0.5)},
    **{f"`explore` {value}": {"explore": value} for value in (0.1, 0.2, 0.5)},
}
ABOUT = (
    f"The kind of an item is the rarest word of its title that at least {COMMON} titles have. The promoted items are "
    f"{PROMOTED:.0%} of the catalogue, drawn with a seed. `explore` keeps places for items with fewer than "
    f"{FEW_EVENTS} events. Differences are relative to {NO_RULE}, in pairs."
)


def main() -> None:
    """Measure both data sets and write the table."""
    parts = []
    for data in (retail_basket(), beauty_with_titles()):
        users = sampled(data)
        parts.append(section(data, measure(data, users), users))
    text = f"`python -m study.rules` on {machine()}\n\n{ABOUT}\n\n" + "\n\n".join(parts)
    write_text(RESULTS / "costs-of-rules.md", text + "\n")
    print(text)


def sampled(data: Data) -> Items:
    """Return the positions of at most `MAX_USERS` of the test users, drawn with a seed."""
    users = np.random.default_rng(0).permutation(len(data.users))[:MAX_USERS]
    return np.sort(users)


def measure(data: Data, users: Items) -> dict[str, Items]:
    """Return the items of each user's response with each rule, (num_users, K), filled with -1."""
    model = fit_model(TrainConfig(), FitContext(data.train, titles=data.titles))
    recommender = Recommender(replace(model, attributes=attributes(data)))
    user_ids = [data.train.users.id(number) for number in data.users[users].tolist()]
    found: dict[str, list[list[int]]] = {name: [] for name in RULES}
    with threadpool_limits(1, user_api="blas"):
        for user_id in progress(user_ids, data.name):
            for name, rules in RULES.items():
                response = recommender.recommend(user_id, top_k=K, **rules)
                found[name].append(numbers_of(recommender, response))
    return {name: padded(lists, K) for name, lists in found.items()}


def attributes(data: Data) -> Attributes:
    """Return the attributes kind and promoted."""
    items = data.train.items
    promoted = np.random.default_rng(0).random(len(items)) < PROMOTED
    frame = pd.DataFrame(
        {
            "item_id": pd.array([*items], "str"),
            "title": data.titles,
            "kind": pd.array(kinds(data.titles), "str"),
            "promoted": promoted,
        }
    )
    return Attributes.from_frame(items, frame)


def kinds(titles: Sequence[str]) -> list[str | None]:
    """Return the rarest word of each title that at least `COMMON` titles have; None if it has no such word."""
    words = [dict.fromkeys(title.split()) for title in titles]
    count = Counter(word for own in words for word in own)
    return [min((word for word in own if count[word] >= COMMON), key=count.__getitem__, default=None) for own in words]


def section(data: Data, found: Mapping[str, Items], users: Items) -> str:
    """Return the table of a data set."""
    num_items = len(data.train.items)
    of_users = data.relevant
    relevant = [of_users[place] for place in users.tolist()]
    base = Rankings.of(found[NO_RULE], relevant).ndcg(K)
    rows = []
    for name, items in found.items():
        rankings = Rankings.of(items, relevant)
        ndcg, change = mean_estimate(rankings.ndcg(K)), mean_estimate(rankings.ndcg(K) - base)
        rows.append(
            [
                name,
                f"{ndcg.value:.4f} ({ndcg.low:.4f} to {ndcg.high:.4f})",
                "" if name == NO_RULE else f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})",
                f"{rankings.hit_rate(K).mean():.4f}",
                f"{coverage(items, num_items):.1%}",
                f"{gini(items, num_items):.3f}",
            ]
        )
    header = ["", f"NDCG@{K}", "difference", f"HR@{K}", f"coverage@{K}", f"Gini@{K}"]
    return f"{data.name}: {len(users):,} users, {num_items:,} items.\n\n" + table(header, rows)


if __name__ == "__main__":
    main()
