"""The project's solvers and the paper's training loop, as contestants of table 5."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from torch import nn

from recommender.data.interactions import Interactions
from recommender.models import networks
from recommender.models.adam import EPOCHS_PER_HALVING, INITIAL_STD
from recommender.models.distributed import ALONE
from recommender.models.fit import SOLVERS, limits
from recommender.models.networks import BasicMF, SigmoidMF
from recommender.models.options import FactorizationOptions
from study.table5.steps import Contestant, Step

PAPER = {"learning_rate": 0.001, "weight_decay": 0.00001}  # its other values are the defaults of FactorizationOptions
# Solver with the paper's loop -> standard deviation of the initial embeddings: 0.01 in its code, 1 in its text.
DENSE = {"dense adam": INITIAL_STD, "dense adam, standard normal": 1.0}


def factorization(model: str, solver: str, embedding_dim: int, seed: int) -> Contestant:
    """Return a model with the solver `als`, `adam` (the paper's values), `adam, our values`, or one of `DENSE`."""
    values = {"model": model, "embedding_dim": embedding_dim, "seed": seed}
    if solver == "als":
        return ours(FactorizationOptions.model_validate(values))
    recipe = {} if solver == "adam, our values" else PAPER
    config = FactorizationOptions.model_validate({**values, "solver": "adam", **recipe})
    if solver in DENSE:
        return dense_adam(config, DENSE[solver])
    return ours(config)


def ours(config: FactorizationOptions) -> Contestant:
    """Return the project's solver of this configuration, as a training job runs it."""

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        for iteration in SOLVERS[config.solver](train, config, None, ALONE):
            yield step_of(iteration.number, iteration.model, pairs)

    return Contestant(steps, *limits(config))


def dense_adam(config: FactorizationOptions, initial_std: float) -> Contestant:
    """Return the paper's own loop with torch's Adam, which updates every row of every table in every batch.

    As in the paper's code, biases begin at 0, and the global bias begins at the mean and is learned. The learning rate
    is halved every 20 epochs. `fused` does the same arithmetic in one pass over the tables.
    """

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        mean = float(train.ratings.mean(dtype=np.float64))
        model = networks.create(config, len(train.users), len(train.items), mean)
        generator = torch.Generator().manual_seed(config.seed)
        for table in (model.user_embedding, model.item_embedding):
            table.data.normal_(std=initial_std, generator=generator)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, EPOCHS_PER_HALVING, gamma=0.5)
        columns = tuple(map(torch.tensor, (train.user_num, train.item_num, train.ratings)))
        for number in count(1):
            order = torch.from_numpy(np.random.default_rng([config.seed, number]).permutation(len(train)))
            for some in torch.split(order, config.batch_size):
                user, item, rating = (column[some] for column in columns)
                optimizer.zero_grad(set_to_none=False)
                nn.functional.mse_loss(model(user, item), rating).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
            yield step_of(number, model, pairs)

    return Contestant(steps, *limits(config))


@torch.no_grad()
def step_of(number: int, model: BasicMF, pairs: Interactions) -> Step:
    """Return the predictions of a model in its present state as a step."""
    user, item = torch.from_numpy(pairs.user_num), torch.from_numpy(pairs.item_num)
    predicted = model(user, item)
    if isinstance(model, SigmoidMF):
        plain = torch.full_like(predicted, sum(model.rating_range) / 2)
    else:
        plain = predicted - BasicMF.forward(model, user, item)
    return Step(number, predicted.double().numpy(), plain.double().numpy())
