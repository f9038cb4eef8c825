"""The steps from raw reviews to channels, as SQL for both DuckDB and Spark.

The result does not depend on the engine or on input order, because the content breaks ties. A seeded hash orders a
user's reviews with equal times, as in `recommender.data.splits`. The rating orders reviews of one item.
"""

from dataclasses import dataclass

from recommender.data.vocabulary import MAX_TITLE_CHARACTERS
from recommender.prepare.attributes import ATTRIBUTES
from recommender.prepare.config import PrepareConfig

REVIEW = "user_id, item_id, rating, timestamp"
END_OF_TIME = 2**62
PARTS = {"leave-one-out": ("train", "test"), "leave-one-out-validation": ("train", "validation", "test"),
         "next-basket": ("train", "test"), "time": ("train", "test")}  # fmt: skip
MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class Step:
    """A table and the query that creates it.

    Attributes:
        table: its name.
        query: SQL over the tables of earlier steps.
        counted: the name of the step in the summary; None if the summary does not count its reviews.
        stored: whether its rows are stored; otherwise each query computes them again.
    """

    table: str
    query: str
    counted: str | None = None
    stored: bool = True


def steps(config: PrepareConfig) -> list[Step]:
    """Return the steps from `review_lines` and `metadata_lines` to `split`, the table of reviews with their parts.

    Parts are train, test, validation and cold. Cold reviews are from `split_time` on, and their item is not in train.
    They are in no channel.
    """
    return [*filter_steps(config, known_until(config)), *split_steps(config, known_until(config))]


def known_until(config: PrepareConfig) -> int:
    """Return the time in milliseconds before which a user or an item must have reviews to be known."""
    return int(config.split_time.timestamp() * 1000) if config.split_time else END_OF_TIME


def filter_steps(config: PrepareConfig, until: int) -> list[Step]:
    """Return steps 1 to 3 of the paper's section 2.2.

    With `split_time`, later reviews do not affect earlier ones. Users are filtered by their items before that time.
    Of repeated reviews of one item by one user, one is kept before that time and one after it.
    """
    unique = unique_reviews(config, until)
    source = "unique_reviews" if unique else "of_known_items"
    return [
        Step(
            "items",
            f"""SELECT item_id, max(substr(coalesce(title, ''), 1, {MAX_TITLE_CHARACTERS + 1})) AS title,
                    {", ".join(f"max({name}) AS {name}" for name in ATTRIBUTES)}
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
    """Return the steps that keep one review per user and item before `until` and one after; [] if all are kept."""
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
            f"that are the {config.duplicates} of their user and item",
        ),
    ]


def split_steps(config: PrepareConfig, until: int) -> list[Step]:
    """Return step 4 of the paper's section 2.2: the steps that assign each rating to a part."""
    if config.split == "time":
        return split_in_time(until)
    if config.split == "next-basket":
        return next_basket(config.session_gap_hours)
    if config.split == "leave-one-out":
        return leave_one_out("ratings", "test", "split", config.seed)
    return [
        *leave_one_out("ratings", "test", "split_for_test", config.seed),
        Step("not_in_test", f"SELECT {REVIEW} FROM split_for_test WHERE part = 'train'"),
        *leave_one_out("not_in_test", "validation", "split_for_validation", config.seed),
        Step(
            "split",
            f"""SELECT {REVIEW}, part FROM split_for_validation
                UNION ALL SELECT {REVIEW}, part FROM split_for_test WHERE part = 'test'""",
        ),
    ]


def leave_one_out(source: str, part: str, table: str, seed: int) -> list[Step]:
    """Return the steps that move each user's last rating to `part`, if the remainder has its item too.

    All other ratings are train. A user's only rating stays in train, so that no user becomes unknown. Applied again to
    train, the steps hold out a validation rating that is not earlier than the user's train ratings. Train keeps every
    item of test.
    """
    last = f"""SELECT {REVIEW}, num_ratings > 1 AND row_number() OVER (
                    PARTITION BY user_id ORDER BY timestamp DESC, tie DESC, rating DESC) = 1 AS is_last
                FROM (SELECT {REVIEW}, num_ratings,
                        CASE WHEN timestamp = last_time THEN {tie_hash(seed)} ELSE '' END AS tie
                      FROM (SELECT {REVIEW}, count(*) OVER (PARTITION BY user_id) AS num_ratings,
                                max(timestamp) OVER (PARTITION BY user_id) AS last_time
                            FROM {source}) AS with_last_time) AS with_tie"""
    return hold_out(last, part, table)


def next_basket(session_gap_hours: float) -> list[Step]:
    """Return the steps that move each user's last session to test: the ratings with an item that the remainder has too.

    Consecutive ratings of a user belong to one session if less than the gap passes between them. Ratings with equal
    times always do. A user's only session stays in train, so that no user becomes unknown.
    """
    gap = max(1, round(session_gap_hours * MS_PER_HOUR))
    last = f"""SELECT {REVIEW}, timestamp >= last_begin AND last_begin > first_time AS is_last
               FROM (SELECT {REVIEW}, min(timestamp) OVER (PARTITION BY user_id) AS first_time,
                        max(CASE WHEN pause IS NULL OR pause >= {gap} THEN timestamp END)
                            OVER (PARTITION BY user_id) AS last_begin
                     FROM (SELECT {REVIEW}, timestamp - lag(timestamp) OVER (
                                PARTITION BY user_id ORDER BY timestamp) AS pause
                           FROM ratings) AS with_pause) AS with_begin"""
    return hold_out(last, "test", "split")


def hold_out(last: str, part: str, table: str) -> list[Step]:
    """Return the steps that move ratings to `part`, if the remainder has their item too; the rest is train.

    Args:
        last: the query for all ratings, with a column `is_last` that is true for the ratings to move.
        part: the name of the part.
        table: the name of the resulting table.
    """
    return [
        Step(f"{table}_last", last),
        Step(f"{table}_remaining", f"SELECT DISTINCT item_id AS remaining_item FROM {table}_last WHERE NOT is_last"),
        Step(
            table,
            f"""SELECT {REVIEW},
                    CASE WHEN is_last AND remaining_item IS NOT NULL THEN '{part}' ELSE 'train' END AS part
                FROM {table}_last LEFT JOIN {table}_remaining ON item_id = remaining_item""",
        ),
    ]


def tie_hash(seed: int) -> str:
    """Return the SQL expression that orders a user's reviews with equal times, as `recommender.data.splits` does."""
    return f"sha2(concat('{seed}', chr(10), user_id, chr(10), item_id), 256)"


def split_in_time(until: int) -> list[Step]:
    """Return the steps that split at a time: test has the later ratings of users and items in train."""
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


def channel_query(part: str) -> str:
    """Return the query for the rows of a channel of ratings, in an order that depends only on the content."""
    return f"SELECT {REVIEW} FROM split WHERE part = '{part}' ORDER BY user_id, timestamp, item_id, rating"


ITEMS = f"""SELECT item_id, title, {", ".join(ATTRIBUTES)} FROM items
            WHERE item_id IN (SELECT item_id FROM split WHERE part <> 'cold') ORDER BY item_id"""
