"""The only place where a default stands, each with the text that the README's table shows.

`TrainConfig` holds the hyper-parameters, `ServeConfig` what a request may leave out and the
bounds of what it may ask for.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recommender.errors import ConfigError
from recommender.validation import first_problem, shown

# Keys of the SageMaker toolkits and of hyper-parameter tuning; they are addressed to others.
RESERVED_PREFIXES = ("sagemaker_", "_tuning_objective_metric", "default_user_module_name")


class TrainConfig(BaseModel):
    """Hyper-parameters of a training job; every value is checked, in strict types, at construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    embedding_dim: int = Field(150, ge=1, le=4096, description="number of latent factors of a user and an item")
    regularization: float = Field(2.0, ge=1e-6, le=1e6, description="weight of the squared length of the factors")
    user_bias_regularization: float = Field(3.0, ge=1e-6, le=1e6, description="weight of the squared user bias")
    item_bias_regularization: float = Field(8.0, ge=1e-6, le=1e6, description="weight of the squared item bias")
    max_sweeps: int = Field(
        10, ge=1, le=1000, description="sweeps of least squares at most; validation chooses how many are used"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the initial user factors")
    rating_min: float = Field(1.0, description="lowest rating allowed; a lower one in a channel is an error")
    rating_max: float = Field(5.0, description="highest rating allowed; a higher one in a channel is an error")
    rerank_weight: float = Field(
        1.0, ge=0, le=1, description="share of title similarity in the final order; the rest is the recall score"
    )

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if not self.rating_min < self.rating_max:
            raise ValueError(f"rating_min must be below rating_max, which is {self.rating_max:g}")
        return self

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, object], source: str) -> Self:
        """The configuration that `values` (SageMaker: all of them strings) describe.

        A string is decoded as JSON where it is JSON ("10", "0.5", "true") and kept otherwise, as the
        SageMaker training toolkit does (contract T20); reserved keys are ignored (T19).

        Raises:
            ConfigError: a name is unknown, or a value is of the wrong type or out of range.
        """
        mine = {name: _decode(value) for name, value in values.items() if not name.startswith(RESERVED_PREFIXES)}
        try:
            return cls.model_validate(mine)
        except ValidationError as error:
            field, message = first_problem(error, cls)
            where = f"hyper-parameter {shown(field)}: " if field else "hyper-parameters: "
            raise ConfigError(f"{source}: {where}{message}") from None


@dataclass(frozen=True)
class ServeConfig:
    """What a request may leave out, and the bounds that keep one request from starving the others.

    Attributes:
        top_k: recommendations in an answer.
        num_candidates: items that recall hands to the rerank.
        exclude_seen: leave out the items of the shopper's history.
        max_top_k: largest top_k of a request.
        max_num_candidates: largest num_candidates of a request.
        max_history: most events in a request's history.
        max_instances: most instances in one request.
        max_body_bytes: largest body; SageMaker's own bound (contract S7).
    """

    top_k: int = 5
    num_candidates: int = 100
    exclude_seen: bool = True
    max_top_k: int = 1_000
    max_num_candidates: int = 10_000
    max_history: int = 1_000
    max_instances: int = 1_000
    max_body_bytes: int = 6 * 1024 * 1024


SERVE = ServeConfig()


def _decode(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    # "1e400" is JSON and infinite; a message about the string the user wrote is clearer.
    return value if isinstance(decoded, float) and not math.isfinite(decoded) else decoded
