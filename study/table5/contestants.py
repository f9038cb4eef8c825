"""What table 5 compares: each contestant fits ratings and predicts pairs, again after every iteration of its own.

An iteration is a sweep, an epoch, or one of several settings; which one counts is chosen outside, on validation or the
paper's way on test. All of them predict plain ratings, not clipped, but for Surprise, which clips them itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recommender.config import TrainConfig
from recommender.data.interactions import Interactions
from recommender.models import networks
from recommender.models.adam import EPOCHS_PER_HALVING, INITIAL_STD
from recommender.models.hosts import ALONE
from recommender.models.networks import BasicMF, SigmoidMF
from recommender.models.training import SOLVERS, limits

Values = NDArray[np.float64]
PAPER = {"learning_rate": 0.001, "weight_decay": 0.00001}  # the rest of its recipe are TrainConfig's defaults
# The paper's loop -> standard deviation of its initial embeddings: 0.01 in the paper's code, 1 in its text.
DENSE = {"dense adam": INITIAL_STD, "dense adam, standard normal": 1.0}
SURPRISE_EPOCHS = (5, 10, 15, 20, 30, 40)
SURPRISE_DEFAULT_EPOCHS = 20
DAMPINGS = (1, 2, 3, 5, 8, 13, 21)


@dataclass(frozen=True)
class Step:
    """Predictions after an iteration.

    Attributes:
        number: the iteration; the number of epochs of a fit that is made anew for each.
        predicted: (n,) float64, ratings of the pairs.
        plain: (n,) float64, the same with all embeddings set to zero: what constants and biases say.
    """

    number: int
    predicted: Values
    plain: Values


@dataclass(frozen=True)
class Contestant:
    """A model by a solver.

    Attributes:
        steps: the ratings to fit and the pairs to predict -> what is predicted, step by step.
        most: steps at most.
        patience: steps without a better error before the end.
        default: the number of the step that the library itself would take; None where it takes no certain one.
    """

    steps: Callable[[Interactions, Interactions], Iterator[Step]]
    most: int
    patience: int
    default: int | None = None


def create(model: str, solver: str, embedding_dim: int, seed: int) -> Contestant:
    """The contestant of that name."""
    if model == "surprise svd":
        return surprise_svd(embedding_dim, seed)
    if model in CONSTANTS:
        return Contestant(CONSTANTS[model], 1, 1)
    if model == "damped biases":
        return Contestant(damped_biases, len(DAMPINGS) ** 2, len(DAMPINGS) ** 2)
    values = {"model": model, "embedding_dim": embedding_dim, "seed": seed}
    if solver == "als":
        return ours(TrainConfig.model_validate(values))
    recipe = {} if solver == "adam, our values" else PAPER
    config = TrainConfig.model_validate({**values, "solver": "adam", **recipe})
    if solver in DENSE:
        return dense_adam(config, DENSE[solver])
    return ours(config)


def ours(config: TrainConfig) -> Contestant:
    """The project's own solvers, as a training job runs them."""

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        for iteration in SOLVERS[config.solver](train, config, None, ALONE):
            yield step_of(iteration.number, iteration.model, pairs)

    return Contestant(steps, *limits(config))


def dense_adam(config: TrainConfig, initial_std: float) -> Contestant:
    """The paper's own loop: torch's Adam, which moves every row of every table at every batch.

    From the paper's code: biases 0, global bias the mean and learned, the learning rate halved every 20 epochs.
    `fused` is the same arithmetic in one pass over the tables.
    """

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        mean = float(train.rating.mean(dtype=np.float64))
        model = networks.create(config, len(train.users), len(train.items), mean)
        generator = torch.Generator().manual_seed(config.seed)
        for table in (model.user_embedding, model.item_embedding):
            table.data.normal_(std=initial_std, generator=generator)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, EPOCHS_PER_HALVING, gamma=0.5)
        columns = tuple(map(torch.tensor, (train.user_num, train.item_num, train.rating)))
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
    """What a model predicts now."""
    user, item = torch.from_numpy(pairs.user_num), torch.from_numpy(pairs.item_num)
    predicted = model(user, item)
    if isinstance(model, SigmoidMF):
        plain = torch.full_like(predicted, sum(model.rating_range) / 2)
    else:
        plain = predicted - BasicMF.forward(model, user, item)
    return Step(number, predicted.double().numpy(), plain.double().numpy())


def surprise_svd(num_factors: int, seed: int) -> Contestant:
    """Surprise's SVD with its defaults, and with other numbers of epochs, each of them a fit of its own."""
    from surprise import SVD, Dataset, Reader  # the models of this project need no Surprise

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        data = Dataset(Reader(rating_scale=(1, 5))).construct_trainset([(*row, None) for row in _triples(train)])
        user = np.array([data.to_inner_uid(number) for number in pairs.user_num.tolist()])
        item = np.array([data.to_inner_iid(number) for number in pairs.item_num.tolist()])
        for epochs in SURPRISE_EPOCHS:
            algorithm = SVD(n_factors=num_factors, n_epochs=epochs, random_state=seed).fit(data)
            predicted = np.array([one.est for one in algorithm.test(_triples(pairs))])
            yield Step(epochs, predicted, data.global_mean + algorithm.bu[user] + algorithm.bi[item])

    return Contestant(steps, len(SURPRISE_EPOCHS), len(SURPRISE_EPOCHS), SURPRISE_DEFAULT_EPOCHS)


def damped_biases(train: Interactions, pairs: Interactions) -> Iterator[Step]:
    """Item, then user means of what is left, each as if `damping` more ratings were at the mean (LensKit's Bias).

    The number of a step is its place in the grid of dampings.
    """
    mean = train.rating.mean(dtype=np.float64)
    for number, (user_damping, item_damping) in enumerate(product(DAMPINGS, DAMPINGS), 1):
        item_bias = _damped_mean(train.item_num, train.rating - mean, len(train.items), item_damping)
        rest = train.rating - mean - item_bias[train.item_num]
        user_bias = _damped_mean(train.user_num, rest, len(train.users), user_damping)
        predicted = mean + user_bias[pairs.user_num] + item_bias[pairs.item_num]
        yield Step(number, predicted, predicted)


def _damped_mean(number: NDArray[np.int64], values: Values, length: int, damping: float) -> Values:
    return np.bincount(number, values, length) / (np.bincount(number, minlength=length) + damping)


def _constant(value: float | None) -> Callable[[Interactions, Interactions], Iterator[Step]]:
    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        predicted = np.full(len(pairs), train.rating.mean(dtype=np.float64) if value is None else value)
        yield Step(1, predicted, predicted)

    return steps


CONSTANTS = {"always 0": _constant(0.0), "always 3": _constant(3.0), "the mean": _constant(None)}


def _triples(data: Interactions) -> list[tuple[int, int, float]]:
    return list(zip(data.user_num.tolist(), data.item_num.tolist(), data.rating.tolist(), strict=True))
