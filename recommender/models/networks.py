"""The paper's three models as torch modules: their parameters and predictions.

Solvers update the tables of a module. `factors_of` returns the result as plain arrays.
"""

import torch
from torch import Tensor, nn

from recommender.errors import FitError
from recommender.models.factors import Factors, factorize_items
from recommender.models.options import FactorizationOptions

FINITE = (
    "expected finite numbers; lower the scale of the ratings or the learning_rate, or raise the "
    "regularization hyper-parameters"
)


class BasicMF(nn.Module):
    """Basic MF: r_ui = p_u . q_i (the paper's section 3.2.1).

    Its biases are constant zeros, so solvers need no special case.

    Attributes:
        user_embedding, item_embedding: (num_rows, embedding_dim) float32.
        user_bias, item_bias: (num_rows,) float32.
        global_bias: () float32.
    """

    def __init__(self, num_users: int, num_items: int, embedding_dim: int) -> None:
        super().__init__()
        self.user_embedding: Tensor = nn.Parameter(torch.zeros(num_users, embedding_dim))
        self.item_embedding: Tensor = nn.Parameter(torch.zeros(num_items, embedding_dim))
        self.user_bias: Tensor
        self.item_bias: Tensor
        self.global_bias: Tensor
        for name, shape in (("user_bias", (num_users,)), ("item_bias", (num_items,)), ("global_bias", ())):
            self._add_bias(name, torch.zeros(shape))

    def _add_bias(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values)

    def forward(self, user_num: Tensor, item_num: Tensor) -> Tensor:
        """Return the predicted ratings of pairs, (n,) float32."""
        return (self.user_embedding.index_select(0, user_num) * self.item_embedding.index_select(0, item_num)).sum(
            dim=1
        )


class SigmoidMF(BasicMF):
    """Sigmoid MF: r_ui = low + (high - low) / (1 + exp(-p_u . q_i)). All predictions lie between low and high."""

    def __init__(self, num_users: int, num_items: int, embedding_dim: int, rating_range: tuple[float, float]) -> None:
        super().__init__(num_users, num_items, embedding_dim)
        self.rating_range = rating_range

    def forward(self, user_num: Tensor, item_num: Tensor) -> Tensor:
        """Return the predicted ratings of pairs, (n,) float32."""
        low, high = self.rating_range
        return low + (high - low) * torch.sigmoid(super().forward(user_num, item_num))


class BiasMF(BasicMF):
    """Bias MF: r_ui = p_u . q_i + b_u + c_i + b. All three biases are learned."""

    def _add_bias(self, name: str, values: Tensor) -> None:
        self.register_parameter(name, nn.Parameter(values))

    def forward(self, user_num: Tensor, item_num: Tensor) -> Tensor:
        """Return the predicted ratings of pairs, (n,) float32."""
        biases = self.user_bias.index_select(0, user_num) + self.item_bias.index_select(0, item_num) + self.global_bias
        return super().forward(user_num, item_num) + biases


def create(config: FactorizationOptions, num_users: int, num_items: int, global_mean: float) -> BasicMF:
    """Return the configured model with zero embeddings. If it has biases, the global bias is the global mean."""
    sizes = (num_users, num_items, config.embedding_dim)
    if config.prediction_range is not None:
        return SigmoidMF(*sizes, config.prediction_range)
    if not config.has_bias:
        return BasicMF(*sizes)
    model = BiasMF(*sizes)
    model.global_bias.data.fill_(global_mean)
    return model


def factors_of(model: BasicMF) -> Factors:
    """Return the parameters of a model as plain arrays.

    Raises:
        FitError: a number is not finite.
    """
    for name, values in model.state_dict().items():
        if not values.isfinite().all():
            raise FitError(f"the fit ended with numbers in {name} that are not finite: {FINITE}")
    tables = {name: values.numpy() for name, values in model.state_dict().items()}
    direction, direction_num, scale = factorize_items(tables["item_embedding"])
    return Factors(
        global_mean=float(tables["global_bias"]),
        user_embedding=tables["user_embedding"],
        user_bias=tables["user_bias"],
        item_direction=direction,
        item_direction_num=direction_num,
        item_scale=scale,
        item_bias=tables["item_bias"],
        rating_range=model.rating_range if isinstance(model, SigmoidMF) else None,
    )
