"""RecTools' SASRec in its own environment; skipped if `make study` has not built that."""

import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from support.boards import interactions

from recommender.data.interactions import Interactions
from recommender.data.splits import Split
from recommender.evaluation.ranking import Rankings
from study import protocols
from study.data import Data
from study.hits import sasrec
from study.hits.contestants import CRITERION
from study.hits.peers import RECTOOLS

CHAIN = 12  # items that follow each other in a circle
SETTINGS = {"epochs": 40, "batch_size": 16, "n_negatives": 8}


@pytest.fixture
def environment() -> None:
    """Skip the test without the environment of SASRec; fail it if REQUIRE_SASREC is set."""
    if sasrec.ENVIRONMENT.version(RECTOOLS) is None:
        if "REQUIRE_SASREC" in os.environ:
            pytest.fail(f"REQUIRE_SASREC is set, but {sasrec.PYTHON} has no {RECTOOLS}")
        pytest.skip(f"{sasrec.PYTHON} has no {RECTOOLS}: run make .venv-sasrec/installed")


def circle() -> Data:
    """Return users that walk round a circle of items from different starts; the last step is the test event."""
    user, step = np.divmod(np.arange(60 * 6), 6)
    data: Interactions = interactions(user, (user + step) % CHAIN, np.full(len(user), 5))
    split: Split = protocols.last_events(replace(data, rating=None))
    return Data("circle", split.train, split.test, [""] * CHAIN, protocols.choice(1))


def test_the_worker_gets_events_sorted_by_time() -> None:
    data = circle().train
    backwards = replace(data, time=-data.time)
    arrays = sasrec.inputs(backwards, None, {"epochs": 3})
    assert arrays["item_num"].tolist() == data.item_num[::-1].tolist()
    assert int(arrays["num_items"]) == CHAIN
    assert len(arrays["held_out_user"]) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_sasrec_finds_the_next_step_of_a_circle_and_a_seed_repeats_its_embeddings() -> None:
    data = circle()
    recommended = sasrec.fit(data.train, data.titles, SETTINGS, 0)(data.users)
    assert Rankings.of(recommended, data.relevant).hit_rate(5).mean() > 0.9
    first, again, other = (
        sasrec.run(sasrec.inputs(data.train, None, {"epochs": 1, "seed": seed})) for seed in (0, 0, 1)
    )
    assert np.array_equal(first["user"], again["user"])
    assert not np.array_equal(first["user"], other["user"])


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_epochs_are_tried_until_patience_ends() -> None:
    inner = circle().inner
    found = sasrec.run(sasrec.inputs(inner.train, inner.test, {**SETTINGS, "patience": 2}))["validation"]
    assert len(found) == 40 or len(found) == found.argmax() + 3
    tried = sasrec.choose(inner)
    assert [one["epochs"] for one in tried] == list(range(1, len(tried) + 1))
    assert all(0 <= float(one[CRITERION]) <= 1 for one in tried)


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_items_and_users_without_events_have_no_embedding() -> None:
    data = circle()
    train = data.train.where((data.train.item_num != 3) & (data.train.user_num != 5))
    found = sasrec.run(sasrec.inputs(train, None, {"epochs": 1}))
    assert np.flatnonzero(np.isnan(found["item"]).any(axis=1)).tolist() == [3]
    assert np.flatnonzero(np.isnan(found["user"]).any(axis=1)).tolist() == [5]
    recommended = sasrec.fit(train, data.titles, {"epochs": 1}, 0)(data.users)
    assert not (recommended == 3).any()
    assert (recommended[data.users == 5] == -1).all()


LOSSES = """
import numpy as np, pandas as pd, torch
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from worker import OnlyEvents
random = np.random.default_rng(0)
frame = pd.DataFrame({"user_id": random.integers(0, 30, 300), "item_id": random.integers(0, 50, 300), "weight": 1.0})
frame["datetime"] = pd.to_datetime(np.arange(300), unit="s")
for loss in ("softmax", "sampled_softmax"):
    torch.manual_seed(0)
    model = SASRecModel(
        loss=loss, n_factors=8, n_blocks=1, n_heads=1, dropout_rate=0.0, session_max_len=20, n_negatives=5,
        lightning_module_type=OnlyEvents,
    )
    model._build_model_from_dataset(Dataset.construct(frame))
    module = model.lightning_model
    module.log = lambda *args, **kwargs: None
    batch = next(iter(model.data_preparator.get_dataloader_train()))
    own, theirs = module.training_step(batch, 0), super(OnlyEvents, module).training_step(batch, 0)
    gradients = [torch.autograd.grad(one, module.torch_model.parameters(), retain_graph=True) for one in (own, theirs)]
    assert torch.allclose(own, theirs, rtol=1e-5), (own, theirs)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_skipping_padding_changes_neither_loss_nor_gradients() -> None:
    environment = {**os.environ, "PYTHONPATH": str(sasrec.WORKER.parent), "OMP_NUM_THREADS": "1"}
    subprocess.run([sasrec.PYTHON, "-W", "ignore", "-c", LOSSES], check=True, env=environment)
