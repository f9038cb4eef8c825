"""The steps from raw reviews to channels, as SQL that DuckDB and Spark both speak: the one definition of them.

Every choice is by content and none by the order of the rows, so that both engines, and any order of the input, give
the same rows: of a user's reviews of one time the greater item id is the later one, of one item the greater rating.
"""

from dataclasses import dataclass

from recommender.data.columns import MAX_TITLE_CHARACTERS
from recommender.prepare.config import PrepareConfig

REVIEW = "user_id, item_id, rating, timestamp"
END_OF_TIME = 2**62
PARTS = {"leave-one-out": ("train", "test"), "leave-one-out-validation": ("train", "validation", "test"),
         "time": ("train", "test")}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A table and the query that makes it.

    Attributes:
        table: its name.
        query: over the tables before it.
        counted: what the summary calls its reviews, where it counts them.
        kept: whether its rows are kept, and not found again whenever they are asked for.
    """

    table: str
    query: str
    counted: str | None = None
    kept: bool = True


def steps(config: PrepareConfig) -> list[Step]:
    """From `review_lines` and `metadata_lines` to `split`: reviews with the part that each of them is in.

    Parts are train, test and validation, and cold: the reviews since `split_time` of users or items that are not
    in train, which belong to no channel.
    """
    return [*kept(config, before(config)), *split(config, before(config))]


def before(config: PrepareConfig) -> int:
    """The point in time until which reviews decide who and what is known, in milliseconds."""
    return int(config.split_time.timestamp() * 1000) if config.split_time else END_OF_TIME


def kept(config: PrepareConfig, until: int) -> list[Step]:
    """Steps 1 to 3 of the paper's section 2.2.

    Where a point in time splits, what comes after it decides nothing that is before it: users count with their items
    until then, and of a user's reviews of one item one is kept on each side.
    """
    unique = unique_reviews(config, until)
    source = "unique_reviews" if unique else "of_known_items"
    return [
        Step(
            "items",
            f"""SELECT item_id, max(substr(coalesce(title, ''), 1, {MAX_TITLE_CHARACTERS + 1})) AS title
                FROM metadata_lines WHERE problem IS NULL GROUP BY item_id""",
        ),
        Step("reviews", f"SELECT {REVIEW}, verified FROM review_lines WHERE problem IS NULL", "read", False),
        Step("verified_reviews", f"SELECT {REVIEW} FROM reviews WHERE verified", "of verified purchases", False),
        Step(
            "of_known_items",
            f"SELECT {REVIEW} FROM verified_reviews WHERE item_id IN (SELECT item_id FROM items)",
            "of items in the metadata",
        ),
        *unique,
        Step(
            "active_users",
            f"""SELECT user_id FROM (SELECT DISTINCT user_id, item_id FROM {source} WHERE timestamp < {until}) AS pairs
                GROUP BY user_id HAVING count(*) >= {config.min_items}""",
        ),
        Step(
            "ratings",
            f"SELECT {REVIEW} FROM {source} WHERE user_id IN (SELECT user_id FROM active_users)",
            f"of users with at least {config.min_items} unique items",
        ),
    ]


def unique_reviews(config: PrepareConfig, until: int) -> list[Step]:
    """One review of a user and an item, on each side of `until`; no step where all of them are kept."""
    if config.duplicates == "keep":
        return []
    order = {"first": "timestamp, rating", "last": "timestamp DESC, rating DESC"}[config.duplicates]
    return [
        Step(
            "of_known_items_ranked",
            f"""SELECT {REVIEW}, row_number() OVER (
                    PARTITION BY user_id, item_id, timestamp < {until} ORDER BY {order}
                ) AS place FROM of_known_items""",
        ),
        Step(
            "unique_reviews",
            f"SELECT {REVIEW} FROM of_known_items_ranked WHERE place = 1",
            f"one of a user and an item, the {config.duplicates}",
        ),
    ]


def split(config: PrepareConfig, until: int) -> list[Step]:
    """Step 4: which part of the data each rating is in."""
    if config.split == "time":
        return split_in_time(until)
    if config.split == "leave-one-out":
        return leave_one_out("ratings", "test", "split")
    return [
        *leave_one_out("ratings", "test", "split_for_test"),
        Step("not_in_test", f"SELECT {REVIEW} FROM split_for_test WHERE part = 'train'"),
        *leave_one_out("not_in_test", "validation", "split_for_validation"),
        Step(
            "split",
            f"""SELECT {REVIEW}, part FROM split_for_validation
                UNION ALL SELECT {REVIEW}, part FROM split_for_test WHERE part = 'test'""",
        ),
    ]


def leave_one_out(source: str, part: str, table: str) -> list[Step]:
    """Each user's last rating goes to `part` where the item also occurs in what remains; all others to train.

    A user's only rating stays, so that nobody becomes unknown. Done again on the train part of a first time, it
    holds out a validation rating that is no earlier than the user's train ratings, and loses no item of test.
    """
    return [
        Step(
            f"{table}_ranked",
            f"""SELECT {REVIEW},
                    row_number() OVER (PARTITION BY user_id ORDER BY timestamp DESC, item_id DESC, rating DESC) AS age,
                    count(*) OVER (PARTITION BY user_id) AS num_ratings
                FROM {source}""",
        ),
        Step(
            f"{table}_remaining",
            f"SELECT DISTINCT item_id AS remaining_item FROM {table}_ranked WHERE age > 1 OR num_ratings = 1",
        ),
        Step(
            table,
            f"""SELECT {REVIEW},
                    CASE WHEN age = 1 AND num_ratings > 1 AND remaining_item IS NOT NULL
                         THEN '{part}' ELSE 'train' END AS part
                FROM {table}_ranked LEFT JOIN {table}_remaining ON item_id = remaining_item""",
        ),
    ]


def split_in_time(until: int) -> list[Step]:
    """What was rated until a point in time is train; what comes since, of users and items known by then, is test."""
    return [
        Step("known_items", f"SELECT DISTINCT item_id AS known_item FROM ratings WHERE timestamp < {until}"),
        Step(
            "split",
            f"""SELECT {REVIEW},
                    CASE WHEN timestamp < {until} THEN 'train'
                         WHEN known_item IS NOT NULL THEN 'test' ELSE 'cold' END AS part
                FROM ratings LEFT JOIN known_items ON item_id = known_item""",
        ),
    ]


def channel(part: str) -> str:
    """The rows of a channel of ratings, in an order of their own."""
    return f"SELECT {REVIEW} FROM split WHERE part = '{part}' ORDER BY user_id, timestamp, item_id, rating"


TITLES = """SELECT item_id, title FROM items
            WHERE item_id IN (SELECT item_id FROM split WHERE part <> 'cold') ORDER BY item_id"""
