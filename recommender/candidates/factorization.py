"""The paper's matrix factorization: items by predicted rating, exact over the whole catalogue."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Candidates, Role, Source
from recommender.candidates.exact_search import ExactSearch
from recommender.common.output import say
from recommender.components.base import LARGEST, UNIT, Array, Arrays, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.errors import DataError, FitError
from recommender.models.factors import Factors, Floats, fold_in
from recommender.models.options import FactorizationOptions

if TYPE_CHECKING:
    from recommender.data.interactions import Interactions  # pandas

TRAINED, FOLDED_IN = "model", "fold_in"
SLIGHTLY = 1e-5  # of a rating: orders items that have equal scores, and changes no prediction that is shown


@dataclass(frozen=True)
class UserVector:
    """A user's embedding, (embedding_dim,) float32, and bias; `origin` says whether it was trained or folded in."""

    embedding: Floats
    bias: float
    origin: str


class Factorization(Source):
    """Bias, basic or sigmoid MF (the paper's section 3.2.1).

    A user without new events has the trained vector. With new events, and for an unknown user with a history, the
    vector is folded in; a model without a closed form keeps the trained vector, and knows no new users.
    """

    name = "factorization"
    default_roles = (Role.CANDIDATES, Role.PAPER)
    is_distributed = True
    prior_weight = 0.0
    Options = FactorizationOptions
    hyperparameters = {name: name for name in FactorizationOptions.model_fields}
    origins = {
        TRAINED: "a user of the training data",
        FOLDED_IN: "a user folded in from the history of the request",
    }
    metrics = ("validation_rmse",)
    arrays = {
        "user_embedding": Array(np.float32, ("users", "embedding_dim"), -LARGEST, LARGEST),
        "user_bias": Array(np.float32, ("users",), -LARGEST, LARGEST),
        "item_direction": Array(np.float32, ("directions", "embedding_dim"), -UNIT, UNIT),
        "item_direction_num": Array(np.int32, ("items",), below="directions"),
        "item_scale": Array(np.float32, ("items",), -LARGEST, LARGEST),
        "item_bias": Array(np.float32, ("items",), -LARGEST, LARGEST),
        "is_rated": Array(np.bool_, ("items",)),
    }
    values = ("global_mean",)

    def __init__(
        self,
        factors: Factors,
        options: FactorizationOptions,
        is_rated: NDArray[np.bool_] | None = None,
        num_iterations: int = 1,
    ) -> None:
        """Build the source.

        Args:
            factors: the fitted tables.
            options: those of the fit.
            is_rated: (num_items,), which items have a rating: others are not proposed. None: all have.
            num_iterations: of the fit; a loaded source does not need it.
        """
        self.factors = factors
        self.options = options
        self._is_rated = np.ones(factors.num_items, bool) if is_rated is None else is_rated
        self._num_iterations = num_iterations
        self._search = ExactSearch(factors, None if self._is_rated.all() else self._is_rated)

    @classmethod
    def unsuited(cls, context: FitContext, options: FactorizationOptions) -> str | None:
        """Return that there are no ratings."""
        return "the events have no ratings" if context.data.rating is None else None

    @classmethod
    def fit(cls, context: FitContext, options: FactorizationOptions) -> Self:
        """Choose the number of iterations on validation data, then fit all ratings; resumes from a checkpoint."""
        from recommender.models.distributed import ALONE  # torch
        from recommender.models.resumable_fit import resumable_fit

        choice, factors = resumable_fit(
            context.data,
            options,
            context.validation,
            hosts=context.hosts or ALONE,
            checkpoint_dir=context.checkpoint_dir,
            watch=context.watch,
        )
        context.metrics["num_iterations"] = choice.num_iterations
        context.metrics["num_validation_ratings"] = choice.num_validation
        if _are_equal(context.data.ratings):
            rating = context.data.ratings[0]
            say(f"all ratings are {rating:g}: nothing tells items apart, so the popular ones come first")
            factors = _by_popularity(factors, context.data)
            context.metrics["num_validation_ratings"] = 0
        elif choice.rmse:
            context.metrics["validation_rmse"] = min(choice.rmse)
            context.metrics["validation_rmse_by_iteration"] = choice.rmse
        return cls(factors, options, _is_rated(context), choice.num_iterations)

    def refit(self, context: FitContext, options: FactorizationOptions) -> Self:
        """Return the factorization of other ratings after as many iterations."""
        from recommender.models.distributed import ALONE  # torch
        from recommender.models.fit import fit

        factors = fit(context.data, options, self._num_iterations, hosts=context.hosts or ALONE)
        return type(self)(factors, options, _is_rated(context), self._num_iterations)

    @classmethod
    def validation_error(cls, context: FitContext, options: FactorizationOptions) -> float:
        """Return the least validation RMSE of any iteration."""
        from recommender.models.fit import choose_iterations  # torch

        if _are_equal(context.data.ratings):
            raise DataError(f"all ratings are {context.data.ratings[0]:g}: expected different ones to validate on")
        choice = choose_iterations(context.data, options, context.validation)
        if not choice.num_validation:
            raise DataError("channel validation: there is nothing to validate on: give the job this channel")
        error = choice.rmse[choice.num_iterations - 1]
        if not math.isfinite(error):
            raise FitError("the error is not finite")
        return error

    def save(self) -> tuple[Arrays, Values]:
        """Return the factors."""
        tables = {name: getattr(self.factors, name) for name in self.arrays if name != "is_rated"}
        return {**tables, "is_rated": self._is_rated}, {"global_mean": self.factors.global_mean}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: FactorizationOptions) -> Self:
        """Return the source with these factors."""
        mean = float(values["global_mean"])
        tables = {name: array for name, array in arrays.items() if name != "is_rated"}
        factors = Factors(global_mean=mean, rating_range=options.prediction_range, **tables)
        return cls(factors, options, arrays["is_rated"])

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the items of highest predicted rating; the score is the part of it that depends on the item."""
        user = self._user(query)
        if user is None:
            return None
        return Candidates(*self._search.top(user.embedding, count, query), user.origin)

    def top_of_each(self, queries: Sequence[Query], count: int) -> Iterator[Candidates | None]:
        """Yield the result of `top` for each query, with one matrix product for all of them."""
        users = [self._user(query) for query in queries]
        found = [(user, query) for user, query in zip(users, queries, strict=True) if user is not None]
        tops: Iterator[Any] = iter(())
        if found:
            embeddings = np.array([user.embedding for user, _ in found])
            tops = self._search.top_of_each(embeddings, count, [query for _, query in found])
        for user in users:
            if user is None:
                yield None
            else:
                item_num, score = next(tops)
                yield Candidates(item_num, score, user.origin)

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the part of the predicted rating that depends on the item; NaN for an item without ratings."""
        user = self._user(query)
        if user is None:
            return None
        return np.where(self._is_rated[item_num], self.factors.item_score(user.embedding, item_num), np.nan)

    def predicted_rating(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the model's rating of each item; for a user without a vector, the average user's rating.

        Returns:
            None for such a user if the model has no biases: then it predicts nothing.
        """
        user = self._user(query)
        if user is not None:
            return self.factors.rating(self.factors.item_score(user.embedding, item_num) + user.bias)
        if self.options.has_bias:
            return self.factors.rating(self.factors.item_bias[item_num].astype(np.float64))
        return None

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the model's rating of each pair; see `Factors.predict`."""
        return self.factors.predict(user_num, item_num)

    def __str__(self) -> str:
        """Describe the model."""
        options = self.options
        return f"{self.name} (model {options.model}, solver {options.solver}, {options.embedding_dim} dimensions)"

    def _user(self, query: Query) -> UserVector | None:
        if self.name not in query.memo:
            query.memo[self.name] = self._solve(query)
        user: UserVector | None = query.memo[self.name]
        return user

    def _solve(self, query: Query) -> UserVector | None:
        if query.user_num is not None and not (query.has_new_events and self.options.has_closed_form):
            bias = float(self.factors.user_bias[query.user_num])
            return UserVector(self.factors.user_embedding[query.user_num], bias, TRAINED)
        is_rated = ~np.isnan(query.rating)
        item_num, rating = query.item_num[is_rated], query.rating[is_rated]
        if not len(item_num) or not query.has_new_events or not self.options.has_closed_form:
            return None
        try:
            embedding, bias = fold_in(
                self.factors.item_embedding(item_num),
                self.factors.item_bias[item_num].astype(np.float64),
                rating.astype(np.float64) - self.factors.global_mean,
                self.options.regularization,
                self.options.bias_regularizations[0],
            )
        except np.linalg.LinAlgError:  # the embeddings are so large that the penalty is lost
            return None
        return UserVector(embedding, bias, FOLDED_IN) if np.isfinite([*embedding, bias]).all() else None


def _is_rated(context: FitContext) -> NDArray[np.bool_]:
    return np.bincount(context.data.item_num, minlength=len(context.data.items)) > 0


def _are_equal(ratings: NDArray[np.float32]) -> bool:
    return len(ratings) > 1 and bool((ratings == ratings[0]).all())


def _by_popularity(factors: Factors, data: "Interactions") -> Factors:
    """Return factors for equal ratings: they keep the predictions, but order items by their number of ratings."""
    count = np.bincount(data.item_num, minlength=len(data.items))
    return replace(factors, item_bias=factors.item_bias + (SLIGHTLY * count / count.max()).astype(np.float32))
