"""The server at the size of the whole category: 2 million users, 826,108 items, embedding size 150.

Titles and ratings are synthetic. Factors are random: no two items have parallel embeddings, which is the worst case for
the size and speed of the candidate source. The benchmark measures the start with all checksums, the memory of two
workers (proportional set size), and the time of a response.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import report, table
from benchmarks.processes import MEGABYTE, children_of, proportional_set_size
from recommender.artifacts import model_folder
from recommender.candidates.factorization import Factorization
from recommender.candidates.popularity import Popularity, PopularityOptions
from recommender.common.output import say
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.hyperparameters import TrainConfig
from recommender.models.factors import Factors
from recommender.models.options import FactorizationOptions
from recommender.sagemaker.environment import Container
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS
from recommender.service.process import running_server
from recommender.synthetic.generate import generate

NUM_USERS, NUM_ITEMS, NUM_RATINGS = 2_000_000, 826_108, 2_500_000
NUM_REQUESTS = 1_000


def main() -> None:
    """Make the model, start the server, send requests, and report."""
    with TemporaryDirectory() as tmp:
        container = Container(Path(tmp))
        users = write_model(container.model_dir)
        num_bytes = model_folder.num_bytes(container.model_dir)
        began = time.perf_counter()
        with running_server(Path(tmp), {MODEL_SERVER_WORKERS: "2"}) as server:
            start = time.perf_counter() - began
            seconds = []
            for user in progress(users, "requests"):
                began = time.perf_counter()
                status, _ = server.invoke({"user_id": user})
                seconds.append(time.perf_counter() - began)
                assert status == 200
            workers = children_of(server.process.pid)
            of_workers = sum(map(proportional_set_size, workers))
            of_all = of_workers + proportional_set_size(server.process.pid)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    rows = [
        ["files of the model", f"{num_bytes / MEGABYTE:,.0f} MB"],
        ["start to the first 200 of /ping, with all checksums (files in the page cache)", f"{start:.1f} s"],
        [f"PSS of {len(workers)} workers after {NUM_REQUESTS:,} random users", times(of_workers, num_bytes)],
        ["PSS of the workers and gunicorn's master", times(of_all, num_bytes)],
        ["one request after the other, p50 and p99", f"{p50:.0f} ms, {p99:.0f} ms"],
    ]
    report("scale", f"{NUM_USERS:,} users, {NUM_ITEMS:,} items, {NUM_RATINGS:,} ratings", table(["", ""], rows))


def times(pss: int, num_bytes: int) -> str:
    """Return megabytes, and their ratio to the size of the arrays."""
    return f"{pss / MEGABYTE:,.0f} MB, {pss / num_bytes:.2f} times the arrays"


def write_model(folder: Path) -> list[str]:
    """Save a model of this size; return random users of it."""
    say("making 2 million users and 826,108 items ...")
    made = generate(NUM_USERS, NUM_ITEMS, NUM_RATINGS)
    random = np.random.default_rng(0)
    config = TrainConfig(pipeline="paper")
    options = config.of(FactorizationOptions)
    users, items = Vocabulary.from_sorted(np.sort(made.user_id)), Vocabulary.from_sorted(np.sort(made.parent_asin))
    data = Interactions(
        users,
        items,
        made.user_num.astype(np.int64),
        made.item_num.astype(np.int64),
        made.rating.astype(np.float32),
        made.timestamp.astype(np.int64),
    )
    context = FitContext(data, titles=[title or "" for title in made.title])
    model = model_folder.Model(
        config=config,
        users=users,
        items=items,
        histories=context.histories,
        titles=StringTable.from_strings(context.titles),
        sources={
            "factorization": Factorization(random_factors(options.embedding_dim, random), options),
            "popularity": Popularity.fit(context, config.of(PopularityOptions)),
        },
        features={name: feature.fit(context, config.of(feature.Options)) for name, feature in config.features.items()},
    )
    model_folder.save(model, folder)
    return [str(user) for user in random.choice(made.user_id, NUM_REQUESTS)]


def random_factors(dim: int, random: np.random.Generator) -> Factors:
    """Return factors with the spread of trained ones; no two items have parallel embeddings."""

    def normal(*shape: int) -> NDArray[np.float32]:
        return 0.1 * random.standard_normal(shape, dtype=np.float32)

    direction = normal(NUM_ITEMS, dim)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Factors(
        global_mean=4.0,
        user_embedding=normal(NUM_USERS, dim),
        user_bias=normal(NUM_USERS),
        item_direction=direction,
        item_direction_num=np.arange(NUM_ITEMS, dtype=np.int32),
        item_scale=np.abs(normal(NUM_ITEMS)),
        item_bias=normal(NUM_ITEMS),
    )


if __name__ == "__main__":
    main()
