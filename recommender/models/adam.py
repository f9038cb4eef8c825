"""The paper's recipe: mini-batches of ratings, mean squared error, Adam. But a step only updates the batch's rows.

In the paper's loop torch updates whole tables at each step: 62,185 rows for a batch of 128 ratings. Here a batch
gathers its rows, computes their gradient by autograd and writes them back. An epoch costs
O(num_ratings x embedding_dim). The cost does not grow with the tables.

This changes the results as well as the time (measurements: docs/experiments.md):

- With dense updates a row also moves while it is in no batch. The momentum of its last batch moves it by about
  30 steps of the learning rate in all. Weight decay moves it too: Adam normalises it to steps of up to the
  learning rate, however small the weight.
- Here a row outside the batch does not move. Weight decay acts on the rows of the batch. The bias correction counts
  a row's own updates, not all batches.

So each rating moves a row less. The default learning rate and weight decay are therefore larger than the paper's
0.001 and 0.00001.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from recommender.data.interactions import Interactions
from recommender.models import networks
from recommender.models.distributed import ALONE, Hosts
from recommender.models.iteration import Iteration, Start
from recommender.models.options import FactorizationOptions
from recommender.models.parallel import one_thread_for_small

# As in the paper's code. Beta and epsilon are Adam's usual ones (Kingma and Ba 2015, algorithm 1).
INITIAL_STD = 0.01
EPOCHS_PER_HALVING = 20
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

SMALL_BATCH = 1_000_000  # ratings x embedding size; a smaller batch uses one thread


@dataclass(frozen=True)
class AdamTable:
    """A parameter and its moments.

    Attributes:
        values: the parameter, (num_rows, ...); updated in place.
        mean, square: running means of the gradient and the squared gradient, with the same shape.
        updates: (num_rows,) float32, the number of updates of each row.
    """

    values: Tensor
    mean: Tensor
    square: Tensor
    updates: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "AdamTable":
        """Return a table without updates."""
        return cls(values, torch.zeros_like(values), torch.zeros_like(values), torch.zeros(len(values)))

    def update(self, row: Tensor, gradient: Tensor, learning_rate: float, weight_decay: float) -> None:
        """Take one Adam step on distinct rows. Add the weight decay to the gradient, as torch's Adam does."""
        values = self.values.index_select(0, row)
        gradient = gradient.add(values, alpha=weight_decay)
        mean = self.mean.index_select(0, row).lerp_(gradient, 1 - BETA1)
        square = self.square.index_select(0, row).mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        updates = self.updates.index_select(0, row).add_(1)
        for table, rows in ((self.mean, mean), (self.square, square), (self.updates, updates)):
            table.index_copy_(0, row, rows)
        per_row = updates.view(-1, *[1] * (values.dim() - 1))
        root = square.div_(1 - BETA2**per_row).sqrt_().add_(EPSILON)
        values.addcdiv_(mean.div_(1 - BETA1**per_row), root, value=-learning_rate)
        self.values.index_copy_(0, row, values)


def epochs(
    data: Interactions, config: FactorizationOptions, start: Start | None = None, hosts: Hosts = ALONE
) -> Iterator[Iteration]:
    """Yield the state after every epoch, without end. The next epoch updates the yielded tensors in place.

    Every epoch uses each rating once. The order depends only on the seed and the epoch. The learning
    rate is halved every 20 epochs. The same seed, data and thread count give the same bytes.

    Args:
        data: the ratings.
        config: the hyper-parameters.
        start: the state to resume from.
        hosts: the hosts that share the work on each batch. All have the same data, configuration and start.
    """
    mean = float(data.ratings.mean(dtype=np.float64))
    model = networks.create(config, len(data.users), len(data.items), mean)
    generator = torch.Generator().manual_seed(config.seed)
    for table in (model.user_embedding, model.item_embedding):
        table.data.normal_(std=INITIAL_STD, generator=generator)
    # The global bias is a table of one row.
    tables = {name: AdamTable.of(_as_rows(parameter.data)) for name, parameter in model.named_parameters()}
    arrays = {f"{name}.{part}": tensor for name, table in tables.items() for part, tensor in vars(table).items()}
    if start is not None:
        start.copy_into(arrays)
    user, item, rating = map(torch.tensor, (data.user_num, data.item_num, data.ratings))
    for number in count(1 if start is None else start.number + 1):
        order = torch.from_numpy(np.random.default_rng([config.seed, number]).permutation(len(data)))
        learning_rate = config.learning_rate * 0.5 ** ((number - 1) // EPOCHS_PER_HALVING)
        with one_thread_for_small(config.batch_size * config.embedding_dim, SMALL_BATCH):
            for rows in torch.split(order, config.batch_size):
                batch = (user[rows], item[rows], rating[rows])
                train_batch(model, tables, *batch, learning_rate, config.weight_decay, hosts)
        yield Iteration(number, model, arrays)


def train_batch(
    model: nn.Module,
    tables: Mapping[str, AdamTable],
    user: Tensor,
    item: Tensor,
    rating: Tensor,
    learning_rate: float,
    weight_decay: float,
    hosts: Hosts = ALONE,
) -> None:
    """Take one step on a batch of ratings. Update only the rows of its users and items.

    Each of several hosts computes the gradient of its part of the ratings. Then all apply the sum.
    """
    users, user_num = torch.unique(user, return_inverse=True)
    items, item_num = torch.unique(item, return_inverse=True)
    rows = {"user": users, "item": items, "global": torch.zeros(1, dtype=torch.int64)}
    row_of = {name: rows[name.partition("_")[0]] for name in tables}
    gathered = {name: table.values.index_select(0, row_of[name]).requires_grad_() for name, table in tables.items()}
    # Apply the model's equation to the rows of the batch instead of the whole tables.
    own = slice(hosts.rank, None, hosts.size)
    predicted = functional_call(model, gathered, (user_num[own], item_num[own]))
    error = (predicted - rating[own]).square().sum() / len(rating)
    gradients = torch.autograd.grad(error, list(gathered.values()))
    for (name, table), gradient in zip(tables.items(), gradients, strict=True):
        hosts.all_reduce(gradient)
        table.update(row_of[name], gradient, learning_rate, weight_decay)


def _as_rows(values: Tensor) -> Tensor:
    return values.view(1) if values.dim() == 0 else values
