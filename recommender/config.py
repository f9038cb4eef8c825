"""The only place where a default stands, each with the text that the README's table shows.

`PrepareConfig` says how raw reviews become channels, `TrainConfig` holds the hyper-parameters,
`ServeConfig` what a request may leave out and the bounds of what it may ask for.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recommender.errors import ConfigError
from recommender.validation import first_problem, shown

# Keys of the SageMaker toolkits and of hyper-parameter tuning; they are addressed to others.
RESERVED_PREFIXES = ("sagemaker_", "_tuning_objective_metric", "default_user_module_name")

# Model or solver -> the hyper-parameters that have no effect with it.
NOT_FOR = {
    "bias": (),
    "basic": ("user_bias_regularization", "item_bias_regularization"),
    "sigmoid": ("regularization", "user_bias_regularization", "item_bias_regularization"),
    "als": ("max_epochs", "patience", "batch_size", "learning_rate", "weight_decay"),
    "adam": ("max_sweeps", "item_bias_regularization"),
}


@dataclass(frozen=True)
class Range:
    """What a search tries of a hyper-parameter.

    Attributes:
        low: least value; a whole number where the hyper-parameter is one.
        high: greatest value.
        logarithmic: whether a factor counts, from 0.1 to 1 as much as from 1 to 10; else a difference does.
    """

    low: float
    high: float
    logarithmic: bool = True

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int)


# Solver -> what changes its validation error, and between which values a search looks for the best. Not here: what
# validation chooses anyway (sweeps, epochs), and what matters only after the fit (new users of adam, the titles).
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


class Config(BaseModel):
    """Values that a user sets; every one is checked, in strict types, at construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    called: ClassVar[str]  # what messages call one of them

    @classmethod
    def from_layers(cls, layers: Iterable[tuple[str, Mapping[str, object]]]) -> Self:
        """The configuration that `(source, values)` describe; a later layer wins over those before it.

        A value that is a string, as all of SageMaker's are, is decoded as JSON where it is JSON ("10", "0.5",
        "true") and kept otherwise, as the SageMaker training toolkit does (contract T20); reserved keys are
        ignored (T19).

        Raises:
            ConfigError: a name is unknown, or a value is of the wrong type or out of range; says in which source.
        """
        values: dict[str, object] = {}
        sources: dict[str, str] = {}
        for source, layer in layers:
            for name, value in layer.items():
                if not name.startswith(RESERVED_PREFIXES):
                    values[name], sources[name] = _decode(value), source
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            name, message = first_problem(error, cls)
            if not name:  # of several together
                everywhere = ", ".join(dict.fromkeys(sources.values()))
                raise ConfigError(f"{everywhere}: {cls.called}s: {message}") from None
            raise ConfigError(f"{sources[name]}: {cls.called} {shown(name)}: {message}") from None


class PrepareConfig(Config):
    """How raw reviews become the channels of a training job (paper, section 2.2)."""

    called = "option"

    item_key: Literal["asin", "parent_asin"] = Field(
        "asin", description="the field of a review that names its item; it must be a parent_asin of the metadata"
    )
    min_items: int = Field(5, ge=1, le=1_000_000, description="unique items of a user who is kept, at least")
    duplicates: Literal["keep", "first", "last"] = Field(
        "keep", description="what becomes of a user's reviews of one item: all of them, or one"
    )
    split: Literal["leave-one-out", "leave-one-out-validation", "time"] = Field(
        "leave-one-out",
        description="what is held out: each user's last review; one more of them for validation; all since split_time",
    )
    split_time: datetime | None = Field(
        None, description="a date such as 2022-06-30, or 2022-06-30T12:00, in UTC: where split time begins to test"
    )
    max_rejects: float = Field(
        0.01, ge=0, le=1, description="share of bad lines, of the reviews or the metadata, that ends the run"
    )

    @field_validator("split_time", mode="before")
    @classmethod
    def _date(cls, value: object) -> object:
        if value is None:
            return None
        try:
            parsed = datetime.fromisoformat(str(value))
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("expected a date such as 2022-06-30 or 2022-06-30T12:00") from None

    @model_validator(mode="after")
    def _time_is_for_split_time(self) -> Self:
        if (self.split == "time") != (self.split_time is not None):
            raise ValueError("split time needs a split_time, the others none")
        return self


PREPARE_MEMORY = "1GB"  # what DuckDB's tables may take in memory; it changes no result


class TrainConfig(Config):
    """Hyper-parameters of a training job."""

    called = "hyper-parameter"

    model: Literal["basic", "sigmoid", "bias"] = Field("bias", description="the paper's equation for a rating")
    solver: Literal["als", "adam"] = Field(
        "als", description="exact least squares (basic, bias), or mini-batches of ratings by Adam (all three)"
    )
    embedding_dim: int = Field(150, ge=1, le=4096, description="number of latent factors of a user and an item")
    regularization: float = Field(
        2.0, ge=1e-3, le=1e6, description="weight of the squared length of the factors; als, and new users of any model"
    )
    user_bias_regularization: float = Field(
        3.0, ge=1e-3, le=1e6, description="weight of the squared user bias; likewise"
    )
    item_bias_regularization: float = Field(8.0, ge=1e-3, le=1e6, description="als: weight of the squared item bias")
    max_sweeps: int = Field(
        10,
        ge=1,
        le=1000,
        description="als: sweeps at most; validation chooses, 3 without a better error end the search",
    )
    max_epochs: int = Field(
        200, ge=1, le=10_000, description="adam: epochs at most; validation chooses how many are used"
    )
    patience: int = Field(
        10, ge=1, le=10_000, description="adam: epochs without a better validation error before the end"
    )
    batch_size: int = Field(128, ge=1, le=1_000_000, description="adam: ratings in a batch")
    learning_rate: float = Field(0.03, gt=0, le=10, description="adam: step size, halved every 20 epochs")
    weight_decay: float = Field(0.01, ge=0, le=10, description="adam: weight of the rows of a batch in their gradient")
    duplicates: Literal["keep", "first", "last", "mean"] = Field(
        "keep", description="what becomes of a user's ratings of one item: all of them, one, or their mean"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the initial factors and of adam's batches")
    rating_min: float = Field(
        1.0, ge=-1e6, le=1e6, description="lowest rating allowed; a lower one in a channel is an error"
    )
    rating_max: float = Field(
        5.0, ge=-1e6, le=1e6, description="highest rating allowed; a higher one in a channel is an error"
    )
    rerank_weight: float = Field(
        1.0, ge=0, le=1, description="share of title similarity in the final order; the rest is the recall score"
    )
    report: bool = Field(True, description="also write report.html, which changes nothing of the model")

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if not self.rating_min < self.rating_max:
            raise ValueError(f"rating_min must be below rating_max, which is {self.rating_max:g}")
        if self.solver == "als" and not self.has_closed_form:
            raise ValueError(f"model {self.model} has no closed form for solver als; set solver to adam")
        return self

    @property
    def of_model(self) -> dict[str, Any]:
        """The hyper-parameters that decide what the model is, by their names."""
        return self.model_dump(exclude={"report"})

    @property
    def has_bias(self) -> bool:
        """Whether the model has biases."""
        return self.model == "bias"

    @property
    def has_closed_form(self) -> bool:
        """Whether a user can be solved from the ratings alone: by least squares, and on the spot when serving."""
        return self.model != "sigmoid"

    @property
    def prediction_range(self) -> tuple[float, float] | None:
        """Lowest and highest rating that the model can predict; None where it is not bounded."""
        return (self.rating_min, self.rating_max) if self.model == "sigmoid" else None

    @property
    def bias_regularizations(self) -> tuple[float, float]:
        """Weights of the squared user and item bias; infinite, so that they stay 0, where the model has none."""
        if not self.has_bias:
            return math.inf, math.inf
        return self.user_bias_regularization, self.item_bias_regularization

    @property
    def without_effect(self) -> list[str]:
        """The hyper-parameters that were set and that model and solver do not use."""
        return sorted(self.unused & self.model_fields_set)

    @property
    def unused(self) -> set[str]:
        """The hyper-parameters that model and solver do not use."""
        return {*NOT_FOR[self.model], *NOT_FOR[self.solver]}

    @property
    def search_space(self) -> dict[str, Range]:
        """The ranges of `SEARCH_SPACE` that have an effect with model and solver, without what was set."""
        fixed = {*NOT_FOR[self.model], *self.model_fields_set}
        return {name: values for name, values in SEARCH_SPACE[self.solver].items() if name not in fixed}

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, object], source: str) -> Self:
        """The configuration that `values` from one source describe; see `from_layers`."""
        return cls.from_layers([(source, values)])


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
        max_instances: most records in one request, but for a batch transform's.
        max_candidates_in_all: most candidates of all instances of one request together: some seconds of work, where
            SageMaker gives 60.
    """

    top_k: int = 5
    num_candidates: int = 100
    exclude_seen: bool = True
    max_top_k: int = 1_000
    max_num_candidates: int = 10_000
    max_history: int = 1_000
    max_instances: int = 1_000
    max_candidates_in_all: int = 500_000


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
