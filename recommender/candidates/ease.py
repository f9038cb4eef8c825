"""EASE: a linear model from items to items, in closed form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from recommender.candidates.base import Axis, Role
from recommender.candidates.item_table import ItemTable
from recommender.components.fit_context import FitContext
from recommender.components.recency import RecencyOptions
from recommender.data.clock import SESSION_SECONDS
from recommender.errors import FitError

if TYPE_CHECKING:
    from recommender.models.groups import Groups


class EaseOptions(RecencyOptions):
    """The options of EASE."""

    regularization: float = Field(50.0, ge=1e-3, le=1e9, description="L2 penalty on the weights")
    groups: Literal["users", "sessions"] = Field(
        "users", description="events that belong together: those of a user, or those of a session of 12 hours"
    )
    num_entries: int = Field(200, ge=1, le=100_000, description="weights that are kept for each item, the largest")
    max_size: int = Field(
        5_000,
        ge=1,
        le=100_000,
        description="fit only if users or items are at most this many; takes 16 bytes times its square",
    )


class Ease(ItemTable):
    """Items by EASE's weights of the history's items (see `models.ease`)."""

    name = "ease"
    default_roles = (Role.CANDIDATES,)
    Options = EaseOptions

    @classmethod
    def unsuited(cls, context: FitContext, options: EaseOptions) -> str | None:
        """Return that the smaller of users and items is too large."""
        smaller = min(len(context.data.users), len(context.data.items))
        return None if smaller <= options.max_size else f"{smaller:,} are more than max_size, {options.max_size:,}"

    @classmethod
    def fit(cls, context: FitContext, options: EaseOptions) -> Self:
        """Invert the smaller Gram matrix and keep the largest weights."""
        from recommender.models.ease import ease_table  # scipy

        wanted = (options.groups, options.regularization, options.num_entries)
        made, table = context.memo.get("ease", (None, None))
        if made != wanted:  # other recencies need no other table
            groups, num_items = cls._groups(context, options), len(context.data.items)
            try:
                table = ease_table(groups, num_items, *wanted[1:], context.wanted_items)
            except ValueError as error:
                raise FitError(f"ease: {error}") from None
            context.memo["ease"] = wanted, table
        return cls(table, options)

    @classmethod
    def _groups(cls, context: FitContext, options: EaseOptions) -> "Groups":
        from recommender.models.groups import Groups

        if options.groups == "users":
            return Groups.of_users(context.pairs)
        return Groups.of_sessions(context.pairs, SESSION_SECONDS)

    @classmethod
    def choices(cls, context: FitContext, options: EaseOptions) -> Sequence[Axis]:
        """Return the recencies, the groups if there are sessions and an item space, and the penalties."""
        axes: list[Axis] = [*options.recencies(context.has_clock)]
        if context.has_clock and len(context.data.items) <= options.max_size:
            axes.append([{"groups": groups} for groups in ("users", "sessions")])
        return [*axes, [{"regularization": value} for value in (200.0, 800.0)]]
