"""Implicit MF: a factorization of the events of users and items; it ignores ratings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recommender.candidates.base import Axis, Candidates, Role, Source
from recommender.candidates.topk import top_k
from recommender.components.base import LARGEST, Array, Arrays, Reason, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.components.recency import RecencyOptions
from recommender.config import Range

BLOCK = 32  # queries in one product
LOWEST = float(np.finfo(np.float32).min)


class ImplicitMFOptions(RecencyOptions):
    """The options of the factorization of events."""

    ranges: ClassVar[Mapping[str, Range]] = {"embedding_dim": Range(16, 256), "regularization": Range(0.1, 100.0)}

    embedding_dim: int = Field(64, ge=1, le=1024, description="embedding size")
    confidence: float = Field(
        40.0, gt=0, le=1e6, description="how much more an event counts than a pair without one (alpha)"
    )
    regularization: float = Field(1.0, ge=1e-3, le=1e6, description="L2 penalty on embeddings")
    num_sweeps: int = Field(8, ge=1, le=1000, description="updates of users and items")
    max_items: int = Field(
        20_000,
        ge=0,
        le=100_000_000,
        description="propose items only if the catalogue has at most this many; else only score those of others",
    )


class ImplicitMF(Source):
    """Items by the inner product with the user's vector, which is solved from the history for each request.

    A request costs O(h d^2 + h^3) for h items in the history (at most O(h d^2 + d^3)), and O(items x d) for the
    product with the whole catalogue.
    """

    name = "implicit_mf"
    default_roles = (Role.CANDIDATES,)
    Options = ImplicitMFOptions
    arrays = {
        "item_embedding": Array(np.float32, ("items", "embedding_dim"), -LARGEST, LARGEST),
        "inverse_gram": Array(np.float32, ("embedding_dim", "embedding_dim"), -LARGEST, LARGEST),
    }

    def __init__(
        self, item_embedding: NDArray[np.float32], inverse_gram: NDArray[np.float32], options: ImplicitMFOptions
    ) -> None:
        self._items, self._inverse, self._options = item_embedding, inverse_gram, options
        squares = np.einsum("ij,ij->i", item_embedding, item_embedding)
        self._longest = math.sqrt(float(squares.max(initial=0)))

    @classmethod
    def fit(cls, context: FitContext, options: ImplicitMFOptions) -> Self:
        """Fit by alternating least squares."""
        from recommender.models.implicit_als import implicit_als  # torch

        names = ("embedding_dim", "confidence", "regularization", "num_sweeps", "seed")
        wanted = tuple(getattr(options, name) for name in names)
        # other recencies need no other tables
        items, inverse = context.remember((cls.name, *wanted), lambda: implicit_als(context.pairs, *wanted))
        return cls(items, inverse, options)

    @classmethod
    def choices(cls, context: FitContext, options: ImplicitMFOptions) -> Sequence[Axis]:
        """Return the recencies, and the confidences; nothing for a large catalogue, since it proposes no items then."""
        if len(context.data.items) > options.max_items:
            return []
        return [
            *options.recencies(context.has_clock),
            [{"confidence": confidence} for confidence in (10.0, 40.0)],
        ]

    def save(self) -> tuple[Arrays, Values]:
        """Return the item table and the inverse of its Gram matrix."""
        return {"item_embedding": self._items, "inverse_gram": self._inverse}, {}

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: ImplicitMFOptions) -> Self:
        """Return the source with this table."""
        return cls(arrays["item_embedding"], arrays["inverse_gram"], options)

    def top(self, query: Query, count: int) -> Candidates | None:
        """Return the items with the highest products above 0; None for an empty history or a large catalogue."""
        return next(self.top_of_each([query], count))

    def top_of_each(self, queries: Sequence[Query], count: int) -> Iterator[Candidates | None]:
        """Yield the result of `top` for each query, with one matrix product for all of them."""
        proposes = len(self._items) <= self._options.max_items
        for begin in range(0, len(queries), BLOCK):
            block = queries[begin : begin + BLOCK]
            users = [self._user(query) for query in block if proposes and len(query.item_num)]
            products = iter(np.array(users, np.float32).reshape(len(users), -1) @ self._items.T if users else [])
            for query in block:
                yield self._best(next(products), query, count) if proposes and len(query.item_num) else None

    def _best(self, scores: NDArray[np.float32], query: Query, count: int) -> Candidates:
        """Return the best items by exact products, among those with a float32 product that may be one of the best.

        Items with the same users have one embedding, and many such items tie. Their float32 products differ, also
        alone and in a block; so they are only a first cut, by twice their largest error.
        """
        if query.allowed is not None:
            scores[~query.allowed.mask] = -np.inf
        scores[query.exclude] = -np.inf
        least = np.partition(scores, -count)[-count] if count < len(scores) else -np.inf
        near = np.flatnonzero(scores >= max(least - 2 * self._largest_error(query), LOWEST))
        exact = self._products(query, near)
        best = top_k(exact, count)
        best = best[exact[best] > 0]
        return Candidates(near[best], exact[best], self.name)

    def _largest_error(self, query: Query) -> float:
        # As in `exact_search`; the user's vector is rounded to float32, too.
        size = float(np.linalg.norm(self._user(query))) * self._longest
        return (self._items.shape[1] + 1) * float(np.finfo(np.float32).eps) * size

    def score(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the product of each item, at least 0."""
        if not len(query.item_num):
            return None
        return np.maximum(self._products(query, item_num), 0.0)

    def _products(self, query: Query, item_num: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the product of each item; each row is summed in the same order, so that equal items tie."""
        return (self._items[item_num] * self._user(query)).sum(axis=1)

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        """Return the item of the history that adds most to each product.

        The user's vector is a sum over the history (the same paper, section 5), and so is a product with it.
        """
        if not len(query.item_num):
            return [None] * len(item_num)
        parts = self._items[list(item_num)].astype(np.float64) @ self._shares(query).T
        best = parts.argmax(axis=1)
        found = zip(best.tolist(), parts[np.arange(len(best)), best].tolist(), strict=True)
        return [Reason((int(query.visits.item_num[row]),)) if value > 0 else None for row, value in found]

    def _user(self, query: Query) -> NDArray[np.float64]:
        return np.asarray(self._shares(query).sum(axis=0))

    def _shares(self, query: Query) -> NDArray[np.float64]:
        """Return the contribution of each item of the history to the user's vector, (n, embedding_dim) float64.

        The equations are those of `models.implicit_als.solve`.
        """
        found: NDArray[np.float64] | None = query.memo.get(self.name)
        if found is None:
            found = query.memo[self.name] = self._solve(query)
        return found

    def _solve(self, query: Query) -> NDArray[np.float64]:
        """Return the shares; zeros if the equations have no finite solution, because the embeddings are too large."""
        Y = self._items[query.visits.item_num].astype(np.float64)
        extra = self._options.confidence * self._options.history_weights(query)
        M = Y @ self._inverse
        try:
            if len(Y) <= Y.shape[1]:  # (A + Y'DY)^-1 Y' = A^-1 Y' (I + D S)^-1, each column times 1 + extra
                spread = np.linalg.solve(np.eye(len(Y)) + (M @ Y.T) * extra, M)
            else:  # M (I + ...) in the space of the embedding: A^-1 (A + Y'DY) = I + A^-1 Y'DY
                spread = np.linalg.solve(np.eye(Y.shape[1]) + M.T @ (extra[:, None] * Y), M.T).T
        except np.linalg.LinAlgError:
            return np.zeros_like(Y)
        shares = spread * (1 + extra)[:, None]
        return shares if np.isfinite(shares.sum()) else np.zeros_like(Y)
