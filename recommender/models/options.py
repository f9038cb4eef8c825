"""The options of the matrix factorization and their defaults."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from recommender.config import Range
from recommender.data.options import SharedOptions

# Model or solver -> the options that have no effect with it.
NOT_FOR = {
    "bias": (),
    "basic": ("user_bias_regularization", "item_bias_regularization"),
    "sigmoid": ("regularization", "user_bias_regularization", "item_bias_regularization"),
    "als": ("max_epochs", "patience", "batch_size", "learning_rate", "weight_decay"),
    "adam": ("max_sweeps", "item_bias_regularization"),
}

# Solver -> the options that change its validation error, and the range that a search tries. Two kinds are left out:
# validation chooses the sweeps and epochs anyway, and some options only matter for new users (with adam).
SEARCH_SPACE = {
    "als": {
        "embedding_dim": Range(10, 300),
        "regularization": Range(0.1, 50.0),
        "user_bias_regularization": Range(0.3, 100.0),
        "item_bias_regularization": Range(0.3, 100.0),
    },
    "adam": {
        "embedding_dim": Range(10, 300),
        "learning_rate": Range(0.003, 0.3),
        "weight_decay": Range(1e-4, 1.0),
        "batch_size": Range(32, 1024),
    },
}


class FactorizationOptions(SharedOptions):
    """The model, the solver and their settings."""

    model: Literal["basic", "sigmoid", "bias"] = Field(
        "bias", description="equation of the predicted rating: Basic, Sigmoid or Bias MF of the paper"
    )
    solver: Literal["als", "adam"] = Field(
        "als", description="exact least squares (basic, bias), or Adam on mini-batches of ratings (all three)"
    )
    embedding_dim: int = Field(150, ge=1, le=4096, description="embedding size of users and items")
    regularization: float = Field(
        2.0, ge=1e-3, le=1e6, description="L2 penalty on embeddings (least squares; also when folding in new users)"
    )
    user_bias_regularization: float = Field(
        3.0, ge=1e-3, le=1e6, description="L2 penalty on user biases (least squares; also when folding in new users)"
    )
    item_bias_regularization: float = Field(
        8.0, ge=1e-3, le=1e6, description="L2 penalty on item biases (least squares)"
    )
    max_sweeps: int = Field(
        10,
        ge=1,
        le=1000,
        description="als: maximum number of sweeps; stops after 3 sweeps without a better validation error and uses "
        "the best one",
    )
    max_epochs: int = Field(
        200, ge=1, le=10_000, description="adam: maximum number of epochs; uses the one with the best validation error"
    )
    patience: int = Field(
        10, ge=1, le=10_000, description="adam: number of epochs without a better validation error until it stops"
    )
    batch_size: int = Field(128, ge=1, le=1_000_000, description="adam: number of ratings per batch")
    learning_rate: float = Field(0.03, gt=0, le=10, description="adam: step size, halved every 20 epochs")
    weight_decay: float = Field(0.01, ge=0, le=10, description="adam: L2 penalty on the rows of a batch")

    @model_validator(mode="after")
    def _solver_suits_the_model(self) -> Self:
        if self.solver == "als" and not self.has_closed_form:
            raise ValueError(f"model {self.model} has no closed form for solver als; set solver to adam")
        return self

    @property
    def has_bias(self) -> bool:
        """Return whether the model has biases."""
        return self.model == "bias"

    @property
    def has_closed_form(self) -> bool:
        """Return whether least squares can compute a user's vector from the user's ratings (training and fold-in)."""
        return self.model != "sigmoid"

    @property
    def prediction_range(self) -> tuple[float, float] | None:
        """Return the lowest and highest rating that the model can predict; None if it has no bounds."""
        return (self.rating_min, self.rating_max) if self.model == "sigmoid" else None

    @property
    def bias_regularizations(self) -> tuple[float, float]:
        """Return the L2 penalties on user and item biases. Without biases they are infinite, so that biases stay 0."""
        if not self.has_bias:
            return math.inf, math.inf
        return self.user_bias_regularization, self.item_bias_regularization

    @property
    def unused(self) -> set[str]:
        """Return the options that the model and the solver do not use."""
        return {*NOT_FOR[self.model], *NOT_FOR[self.solver]}

    @property
    def search_space(self) -> dict[str, Range]:
        """Return the ranges of `SEARCH_SPACE` that the model and the solver use, without options that the user set."""
        fixed = {*NOT_FOR[self.model], *self.model_fields_set}
        return {name: values for name, values in SEARCH_SPACE[self.solver].items() if name not in fixed}

    @property
    def is_quick(self) -> bool:
        """Return whether a fit of about 100,000 ratings takes a few seconds at most."""
        return self.solver == "als"
