"""The options of the matrix factorization, with their defaults."""

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

# Solver -> the options that change its validation error, and the range of each that a search tries. Left out:
# what validation chooses anyway (sweeps, epochs), and what matters only after the fit (new users of adam).
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
    """Model, solver and their settings."""

    model: Literal["basic", "sigmoid", "bias"] = Field("bias", description="the paper's equation for a rating")
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
        description="als: maximum number of sweeps; validation chooses, and stops after 3 without a better error",
    )
    max_epochs: int = Field(
        200, ge=1, le=10_000, description="adam: maximum number of epochs; validation chooses how many are used"
    )
    patience: int = Field(
        10, ge=1, le=10_000, description="adam: epochs without a better validation error before it stops"
    )
    batch_size: int = Field(128, ge=1, le=1_000_000, description="adam: ratings in a batch")
    learning_rate: float = Field(0.03, gt=0, le=10, description="adam: step size, halved every 20 epochs")
    weight_decay: float = Field(0.01, ge=0, le=10, description="adam: L2 penalty on the rows of a batch")

    @model_validator(mode="after")
    def _solver_suits_the_model(self) -> Self:
        if self.solver == "als" and not self.has_closed_form:
            raise ValueError(f"model {self.model} has no closed form for solver als; set solver to adam")
        return self

    @property
    def has_bias(self) -> bool:
        """Whether the model has biases."""
        return self.model == "bias"

    @property
    def has_closed_form(self) -> bool:
        """Whether least squares solves a user from the ratings alone: in training, and when folding in new users."""
        return self.model != "sigmoid"

    @property
    def prediction_range(self) -> tuple[float, float] | None:
        """Lowest and highest rating that the model can predict; None if it is not bounded."""
        return (self.rating_min, self.rating_max) if self.model == "sigmoid" else None

    @property
    def bias_regularizations(self) -> tuple[float, float]:
        """L2 penalties on user and item biases; infinite, so that biases stay 0, if the model has none."""
        if not self.has_bias:
            return math.inf, math.inf
        return self.user_bias_regularization, self.item_bias_regularization

    @property
    def unused(self) -> set[str]:
        """The options that model and solver do not use."""
        return {*NOT_FOR[self.model], *NOT_FOR[self.solver]}

    @property
    def search_space(self) -> dict[str, Range]:
        """The ranges of `SEARCH_SPACE` that have an effect with model and solver, without what was set."""
        fixed = {*NOT_FOR[self.model], *self.model_fields_set}
        return {name: values for name, values in SEARCH_SPACE[self.solver].items() if name not in fixed}

    @property
    def is_quick(self) -> bool:
        """Whether a fit of some 100,000 ratings takes seconds at most."""
        return self.solver == "als"
