"""The time of a response with each rule, and of each other kind of request, compared with a plain request.

Two models are served, each by one worker: the default pipeline on the paper's split, with a real title and synthetic
attributes for every item; and sources of the whole category's size, where the weights of the ranking are fixed and the
factors random. Requests of all kinds alternate, so that other load on the machine meets all alike.
"""

import itertools
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.common import report, table
from benchmarks.scale import NUM_ITEMS, NUM_RATINGS, NUM_USERS, random_factors
from benchmarks.serve import train
from recommender.artifacts import model_folder
from recommender.artifacts.model_folder import Model
from recommender.attributes.attributes import Attributes
from recommender.candidates import SOURCES
from recommender.candidates.factorization import Factorization
from recommender.common.output import say
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.hyperparameters import TrainConfig
from recommender.models.options import FactorizationOptions
from recommender.ranking.learned import LearnedRanking
from recommender.sagemaker.environment import Container
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS
from recommender.service.process import running_server
from recommender.synthetic.generate import generate

ROUNDS = 200
NONE = "no rule"
FITTED = ("neighbours", "titles", "popularity")
WEIGHTS = {"neighbours": 1.0, "titles": 0.5, "factorization": 0.5, "popularity": 0.2}


def main() -> None:
    """Serve both models, send requests of all kinds in turns, and report the ratios."""
    rows: dict[str, list[object]] = {name: [name] for name in requests_of(["u"], ["i"])}
    heading: list[str] = [""]
    with TemporaryDirectory() as tmp:
        for size, make in (("52,619 items", paper_model), (f"{NUM_ITEMS:,} items", large_model)):
            base_dir = Path(tmp) / size
            say(f"{size} ...")
            users, items = make(base_dir)
            seconds = measure(base_dir, users, items)
            plain = np.median(seconds[NONE])
            heading += [f"{size}: p50", "p99", "p50 relative to no rule"]
            for name, times in seconds.items():
                p50, p99 = np.percentile(times, [50, 99])
                rows[name] += [f"{p50 * 1000:.1f}", f"{p99 * 1000:.1f}", f"{p50 / plain:.2f}"]
    report(
        "rules",
        f"One worker, {ROUNDS} requests of each kind in turns, times in ms over HTTP.",
        table(heading, list(rows.values())),
    )


def requests_of(users: list[str], items: list[str]) -> dict[str, dict[str, Any]]:
    """Return a request of each kind; `users` and `items` are those of one round."""
    user: dict[str, Any] = {"user_id": users[0]}
    store = {"store": {"any": ["Store 1"]}}
    return {
        NONE: user,
        "`filter` that keeps 50 % (number)": {**user, "filter": {"price": {"max": 50}}},
        "`filter` that keeps 1 % (number)": {**user, "filter": {"price": {"max": 1}}},
        "`filter` that keeps 1 % (text)": {**user, "filter": store},
        "`filter` that keeps 1 % (list of texts)": {**user, "filter": {"categories": {"any": ["Category 1"]}}},
        "`filter` with four conditions": {
            **user,
            "filter": {
                "price": {"min": 10, "max": 90}, "store": {"not": ["Store 1"]}, "categories": {"not": ["Category 1"]},
                "in_stock": {"is": True},
            },
        },
        "`allow` with 1,000 items": {**user, "allow": items},
        "`deny` with 1,000 items": {**user, "deny": items},
        "`max_per` store 1": {**user, "max_per": {"store": 1}},
        "`diversity` 0.3": {**user, "diversity": 0.3},
        "`promote` 0.2": {**user, "promote": {"filter": store, "share": 0.2}},
        "`explore` 0.2": {**user, "explore": 0.2},
        "related items": {"item_id": items[0]},
        "a basket of three": {"items": items[:3]},
        "a list of 100 in order": {**user, "rank": items[:100]},
        "two interests": {"user_id": "new", "interests": ["black leather boots", "Store 1"]},
        "trending": {"trending": True},
        "onboarding": {"onboarding": 10},
    }  # fmt: skip


def measure(base_dir: Path, users: list[str], items: list[str]) -> Mapping[str, list[float]]:
    """Return the seconds of each response, by kind of request."""
    random = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {}
    with running_server(base_dir, {MODEL_SERVER_WORKERS: "1"}) as server:
        for number in progress(range(ROUNDS + 5), "rounds"):
            some = [str(item) for item in random.choice(items, 1_000, replace=False)]
            for name, request in requests_of([str(random.choice(users))], some).items():
                began = time.perf_counter()
                status, response = server.invoke(request)
                if number >= 5:  # the first rounds compute what later ones share
                    seconds.setdefault(name, []).append(time.perf_counter() - began)
                assert status == 200, response
    return seconds


def paper_model(base_dir: Path) -> tuple[list[str], list[str]]:
    """Train the default pipeline on the paper's split, and add attributes; return users and items."""
    users = train(base_dir)
    folder = Container(base_dir).model_dir
    model = with_attributes(model_folder.load(folder))
    model_folder.save(model, folder)
    return users, list(model.items)


def large_model(base_dir: Path) -> tuple[list[str], list[str]]:
    """Write a model of the size of the whole category; return some of its users and items."""
    made = generate(NUM_USERS, NUM_ITEMS, NUM_RATINGS)
    random = np.random.default_rng(0)
    config = TrainConfig()
    options = config.of(FactorizationOptions)
    data = Interactions(
        Vocabulary.from_sorted(np.sort(made.user_id)),
        Vocabulary.from_sorted(np.sort(made.parent_asin)),
        made.user_num.astype(np.int64),
        made.item_num.astype(np.int64),
        made.rating.astype(np.float32),
        made.timestamp.astype(np.int64) // 1000,
    )
    context = FitContext(data, titles=[title or "" for title in made.title])
    sources = {"factorization": Factorization(random_factors(options.embedding_dim, random), options)}
    fitted = {name: SOURCES[name].fit(context, config.of(SOURCES[name].Options)) for name in FITTED}
    model = Model(
        config=config,
        users=data.users,
        items=data.items,
        histories=context.histories,
        titles=StringTable.from_strings(context.titles),
        sources={**sources, **fitted},
        ranking=LearnedRanking(WEIGHTS),
    )
    model_folder.save(with_attributes(model), Container(base_dir).model_dir)
    items = list(itertools.islice(model.items, 0, None, 40))
    return [str(user) for user in random.choice(made.user_id, 10_000)], items


def with_attributes(model: Model) -> Model:
    """Return the model with a price from 0 to 100, one of 100 stores, two of 100 categories, and stock."""
    random, size = np.random.default_rng(1), len(model.items)
    columns = {
        "price": pa.array(random.uniform(0, 100, size)),
        "store": pa.array([f"Store {number}" for number in random.integers(0, 100, size)], pa.large_string()),
        "categories": pa.array(
            [[f"Category {one}", f"Category {other}"] for one, other in random.integers(0, 200, (size, 2)).tolist()],
            pa.large_list(pa.large_string()),
        ),
        "in_stock": pa.array(random.random(size) < 0.9),
    }
    arrays = {name: pd.array(values, pd.ArrowDtype(values.type)) for name, values in columns.items()}
    frame = pd.DataFrame({"item_id": list(model.items), "title": ""}).assign(**arrays)
    return replace(model, attributes=Attributes.from_frame(model.items, frame))


if __name__ == "__main__":
    main()
