"""The server at the size of the whole category: 2 million users, 826,108 items, dimension 150.

Titles and ratings are the synthetic ones, factors are random: every item has a direction of its own, which
is the worst case for size and speed of the recall. Measured: the start with all checksums, the memory that
two workers really occupy (proportional set size), the time of an answer.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import report, table
from recommender.artifacts import model_folder
from recommender.candidates.factorization import Factorization
from recommender.candidates.popularity import Popularity
from recommender.common.progress import progress, say
from recommender.data.histories import Histories
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.hyperparameters import TrainConfig
from recommender.models.factors import Factors
from recommender.models.options import FactorizationOptions
from recommender.ranking.features.candidate_score import CandidateScore
from recommender.ranking.features.title_similarity import TitleSimilarity, fit_titles
from recommender.sagemaker.environment import Container
from recommender.sagemaker.server_environment import MODEL_SERVER_WORKERS
from recommender.service.process import running_server
from recommender.synthetic.generate import Dataset, generate

NUM_USERS, NUM_ITEMS, NUM_RATINGS = 2_000_000, 826_108, 2_500_000
NUM_REQUESTS = 1_000
MEGABYTE = 1_000_000


def main() -> None:
    """Make the model, start the server, ask it."""
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
        ["start to the first 200 of /ping, every checksum verified (files in the page cache)", f"{start:.1f} s"],
        [f"PSS of {len(workers)} workers after {NUM_REQUESTS:,} random users", times(of_workers, num_bytes)],
        ["PSS of the workers and gunicorn's master", times(of_all, num_bytes)],
        ["one request after the other, p50 and p99", f"{p50:.0f} ms, {p99:.0f} ms"],
    ]
    report("scale", f"{NUM_USERS:,} users, {NUM_ITEMS:,} items, {NUM_RATINGS:,} ratings", table(["", ""], rows))


def times(pss: int, num_bytes: int) -> str:
    """Megabytes and their ratio to the arrays."""
    return f"{pss / MEGABYTE:,.0f} MB, {pss / num_bytes:.2f} times the arrays"


def write_model(folder: Path) -> list[str]:
    """Save a model of this size; returns random users of it."""
    say("making 2 million users and 826,108 items ...")
    data = generate(NUM_USERS, NUM_ITEMS, NUM_RATINGS)
    random = np.random.default_rng(0)
    config = TrainConfig()
    options = config.of(FactorizationOptions)
    titles = [title or "" for title in data.title]
    user_ids = np.sort(data.user_id)
    model = model_folder.Model(
        config=config,
        users=Vocabulary.from_sorted(user_ids.tolist()),
        items=Vocabulary.from_sorted(np.sort(data.parent_asin).tolist()),
        histories=histories_of(data),
        titles=StringTable.from_strings(titles),
        sources={
            "factorization": Factorization(random_factors(options.embedding_dim, random), options),
            "popularity": Popularity(np.bincount(data.item_num, minlength=NUM_ITEMS).astype(np.int32)),
        },
        features={
            "candidate_score": CandidateScore(),
            "title_similarity": TitleSimilarity(fit_titles(titles)),
        },
    )
    model_folder.save(model, folder)
    return [str(user) for user in random.choice(user_ids, NUM_REQUESTS)]


def histories_of(data: Dataset) -> Histories:
    """The users' histories; users are numbered as they come."""
    order = np.argsort(data.user_num, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(data.user_num, minlength=NUM_USERS))])
    return Histories(offsets, data.item_num[order].astype(np.int32), data.rating[order].astype(np.float32))


def random_factors(dim: int, random: np.random.Generator) -> Factors:
    """Factors as spread as trained ones, no two items on one line."""

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


def children_of(pid: int) -> list[int]:
    """The processes that this one has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def proportional_set_size(pid: int) -> int:
    """Bytes: private pages, and of shared ones this process's share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
