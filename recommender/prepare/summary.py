"""Count reviews, users and items after each step: the numbers of the paper's section 2."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recommender.prepare.attributes import ATTRIBUTES
from recommender.prepare.config import PrepareConfig
from recommender.prepare.engine import Engine
from recommender.prepare.steps import ITEMS, PARTS, known_until


@dataclass(frozen=True)
class Counts:
    """The number of reviews after a step, and of their users and items."""

    name: str
    reviews: int
    users: int
    items: int


@dataclass(frozen=True)
class Dataset:
    """A row of the paper's table 3.

    Attributes:
        name: name of the part.
        users, items, reviews: number of users, items and reviews.
        min_items, max_items: smallest and largest number of distinct items per user.
        density: filled share of the users x items matrix; the paper calls it sparsity.
    """

    name: str
    users: int
    items: int
    reviews: int
    min_items: int
    max_items: int
    density: float


@dataclass(frozen=True)
class Lines:
    """The number of lines in one kind of raw file.

    Attributes:
        files: the locations of the files, as in the command.
        good: number of valid lines.
        rejected: problem -> number of lines with it.
    """

    files: list[str]
    good: int
    rejected: dict[str, int]

    @property
    def share_rejected(self) -> float:
        """The share of bad lines among the non-empty lines."""
        num_rejected = sum(self.rejected.values())
        return num_rejected / max(1, self.good + num_rejected)


@dataclass(frozen=True)
class Summary:
    """All counts; both engines give the same.

    Attributes:
        settings: the options of the run.
        lines: kind of raw file -> number of lines.
        steps: the number of reviews after each step, in order.
        cold: number of reviews since `split_time` with an item that is not in train.
        datasets: the paper's table 3.
        items_without_title: number of items without a title in the channel items.
        items_with_attribute: attribute -> number of items with a value for it in the channel items.
        users_by_items: (number of distinct items, number of users), before users are filtered (the paper's Figure 2).
        reviews_by_rating: part -> (stars, number of reviews), with ratings rounded down (the paper's Figure 3).
        items_by_reviews: (number of reviews, number of items) in train: the long tail.
    """

    settings: dict[str, Any]
    lines: dict[str, Lines]
    steps: list[Counts]
    cold: int
    datasets: list[Dataset]
    items_without_title: int
    items_with_attribute: dict[str, int]
    users_by_items: list[tuple[int, int]]
    reviews_by_rating: dict[str, list[tuple[int, int]]]
    items_by_reviews: list[tuple[int, int]]


def count_lines(engine: Engine, table: str, files: Sequence[str]) -> Lines:
    """Count the lines that were read into a table."""
    counted = engine.rows(f"SELECT problem, count(*) FROM {table} GROUP BY problem ORDER BY problem")
    by_problem: dict[str | None, int] = dict(counted)
    good = by_problem.pop(None, 0)
    return Lines(list(files), good, {problem: number for problem, number in by_problem.items() if problem})


def are_too_many(lines: dict[str, Lines], most: float) -> bool:
    """Return whether the share of bad lines in a kind of file is above `most`."""
    return any(read.share_rejected > most for read in lines.values())


def too_many_message(lines: dict[str, Lines], most: float, rejects: str) -> str:
    """Return the error message for too many bad lines: their share and the most frequent problem."""
    kind, read = next((kind, read) for kind, read in lines.items() if read.share_rejected > most)
    worst = max(read.rejected, key=read.rejected.__getitem__)
    return (
        f"{kind}: {read.share_rejected:.1%} of the lines are bad, more than --max_rejects {most:g}; "
        f"most often: {worst} ({read.rejected[worst]:,} lines). See {rejects} for each bad line"
    )


def count_reviews(engine: Engine, table: str, name: str) -> Counts:
    """Count the reviews in a table, and their users and items."""
    query = f"SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id) FROM {table}"
    return Counts(name, *next(iter(engine.rows(query))))


def count_parts(engine: Engine, parts: Sequence[str]) -> list[Dataset]:
    """Return the paper's table 3: one row for each part with reviews, and one for all parts together."""
    counts = engine.rows(
        """SELECT coalesce(part, 'ratings'), count(DISTINCT user_id), count(DISTINCT item_id), count(*)
           FROM split WHERE part <> 'cold' GROUP BY GROUPING SETS ((part), ())"""
    )
    of_users = engine.rows(
        """SELECT coalesce(part, 'ratings'), min(num), max(num)
           FROM (SELECT part, count(DISTINCT item_id) AS num FROM split WHERE part <> 'cold'
                 GROUP BY GROUPING SETS ((part, user_id), (user_id))) AS by_user
           GROUP BY part"""
    )
    items = {part: (fewest, most) for part, fewest, most in of_users}
    found = {
        part: Dataset(part, num_users, num_items, reviews, *items[part], reviews / (num_users * num_items))
        for part, num_users, num_items, reviews in counts
        if reviews
    }
    return [found[part] for part in (*parts, "ratings") if part in found]


def summarize(engine: Engine, config: PrepareConfig, lines: dict[str, Lines], counts: list[Counts]) -> Summary:
    """Count the tables that `steps` created."""
    parts = PARTS[config.split]
    ratings = "SELECT part, CAST(floor(rating) AS INTEGER) AS stars, count(*) FROM split GROUP BY part, stars"
    by_rating: dict[str, list[tuple[int, int]]] = {part: [] for part in parts}
    for part, stars, reviews in engine.rows(f"{ratings} ORDER BY part, stars"):
        if part in by_rating:
            by_rating[part].append((stars, reviews))
    return Summary(
        settings=config.model_dump(mode="json"),
        lines=lines,
        steps=counts,
        cold=single_number(engine, "SELECT count(*) FROM split WHERE part = 'cold'"),
        datasets=count_parts(engine, parts),
        items_without_title=single_number(engine, f"SELECT count(*) FROM ({ITEMS}) AS titles WHERE title = ''"),
        items_with_attribute=count_attributes(engine),
        users_by_items=histogram(
            engine,
            f"(SELECT * FROM of_known_items WHERE timestamp < {known_until(config)}) AS counted",
            "user_id",
            "item_id",
        ),
        reviews_by_rating=by_rating,
        items_by_reviews=histogram(engine, "(SELECT * FROM split WHERE part = 'train') AS train", "item_id", "*"),
    )


def count_attributes(engine: Engine) -> dict[str, int]:
    """Count the items that have a value, for each attribute."""
    counts = ", ".join(f"count({name})" for name in ATTRIBUTES)
    (found,) = engine.rows(f"SELECT {counts} FROM ({ITEMS}) AS items_of_channel")
    return dict(zip(ATTRIBUTES, map(int, found), strict=True))


def single_number(engine: Engine, query: str) -> int:
    """Return the only value of a query with one row and one column."""
    ((found,),) = engine.rows(query)
    return int(found)


def histogram(engine: Engine, table: str, group: str, counted: str) -> list[tuple[int, int]]:
    """Return `(size, number of groups with it)`, ascending; a size counts distinct `counted`, or rows for "*"."""
    rows = f"SELECT {group} FROM {table}" if counted == "*" else f"SELECT DISTINCT {group}, {counted} FROM {table}"
    query = f"""SELECT num, count(*) FROM (
                    SELECT count(*) AS num FROM ({rows}) AS found GROUP BY {group}) AS groups
                GROUP BY num ORDER BY num"""
    return [(counted, groups) for counted, groups in engine.rows(query)]
