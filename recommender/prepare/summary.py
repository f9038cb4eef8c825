"""Counts of the reviews after each step: the numbers of the paper's section 2."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recommender.prepare.config import PrepareConfig
from recommender.prepare.engine import Engine
from recommender.prepare.steps import PARTS, TITLES, before


@dataclass(frozen=True)
class Counts:
    """Number of reviews, and of their users and items."""

    name: str
    reviews: int
    users: int
    items: int


@dataclass(frozen=True)
class Dataset:
    """A row of the paper's table 3.

    Attributes:
        name: name of the part.
        users, items, reviews: their numbers.
        min_items, max_items: smallest and largest number of distinct items per user.
        density: share of the users x items matrix that is filled; the paper calls it sparsity.
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
    """The lines of a kind of raw file.

    Attributes:
        files: the files, as the command names them.
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
    """All counts; the same for both engines.

    Attributes:
        settings: the options of the run.
        lines: by kind of raw file.
        steps: the reviews that are left after each step, in order.
        cold: reviews since `split_time` of items that are not in train.
        datasets: the paper's table 3.
        items_without_title: number of items without a title in the channel.
        users_by_items: (distinct items, users), for the reviews by which users are filtered (the paper's Figure 2).
        reviews_by_rating: by part, (stars, reviews), with ratings rounded down (the paper's Figure 3).
        items_by_reviews: (reviews, items) in train: the long tail.
    """

    settings: dict[str, Any]
    lines: dict[str, Lines]
    steps: list[Counts]
    cold: int
    datasets: list[Dataset]
    items_without_title: int
    users_by_items: list[tuple[int, int]]
    reviews_by_rating: dict[str, list[tuple[int, int]]]
    items_by_reviews: list[tuple[int, int]]


def lines_of(engine: Engine, table: str, files: Sequence[str]) -> Lines:
    """Count the lines that were read into a table."""
    counted = engine.rows(f"SELECT problem, count(*) FROM {table} GROUP BY problem ORDER BY problem")
    by_problem: dict[str | None, int] = dict(counted)
    good = by_problem.pop(None, 0)
    return Lines(list(files), good, {problem: number for problem, number in by_problem.items() if problem})


def are_too_many(lines: dict[str, Lines], most: float) -> bool:
    """Return whether the share of bad lines in a kind of file is above `most`."""
    return any(read.share_rejected > most for read in lines.values())


def too_many(lines: dict[str, Lines], most: float, rejects: str) -> str:
    """Return the message for too many bad lines: their share, and the most frequent problem."""
    kind, read = next((kind, read) for kind, read in lines.items() if read.share_rejected > most)
    worst = max(read.rejected, key=read.rejected.__getitem__)
    return (
        f"{kind}: {read.share_rejected:.1%} of the lines are bad, more than --max_rejects {most:g}; "
        f"most often: {worst} ({read.rejected[worst]:,} lines). {rejects} names each of them"
    )


def counts_of(engine: Engine, table: str, name: str) -> Counts:
    """Count the reviews in a table, and their users and items."""
    query = f"SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id) FROM {table}"
    return Counts(name, *next(iter(engine.rows(query))))


def datasets_of(engine: Engine, parts: Sequence[str]) -> list[Dataset]:
    """Return the paper's table 3: each part with reviews, and all of them together."""
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
        cold=number(engine, "SELECT count(*) FROM split WHERE part = 'cold'"),
        datasets=datasets_of(engine, parts),
        items_without_title=number(engine, f"SELECT count(*) FROM ({TITLES}) AS titles WHERE title = ''"),
        users_by_items=histogram(
            engine,
            f"(SELECT * FROM of_known_items WHERE timestamp < {before(config)}) AS counted",
            "user_id",
            "item_id",
        ),
        reviews_by_rating=by_rating,
        items_by_reviews=histogram(engine, "(SELECT * FROM split WHERE part = 'train') AS train", "item_id", "*"),
    )


def number(engine: Engine, query: str) -> int:
    """Return the single number that a query yields."""
    ((found,),) = engine.rows(query)
    return int(found)


def histogram(engine: Engine, table: str, group: str, counted: str) -> list[tuple[int, int]]:
    """Return ascending `(number, groups with it)`: the number of distinct `counted` in a group, or of rows for *."""
    rows = f"SELECT {group} FROM {table}" if counted == "*" else f"SELECT DISTINCT {group}, {counted} FROM {table}"
    query = f"""SELECT num, count(*) FROM (
                    SELECT count(*) AS num FROM ({rows}) AS found GROUP BY {group}) AS groups
                GROUP BY num ORDER BY num"""
    return [(counted, groups) for counted, groups in engine.rows(query)]
