"""The steps from raw reviews to channels, as SQL that both DuckDB and Spark understand.

The result does not depend on the engine or on input order: ties are broken by content. A user's reviews of one time
are sorted by a seeded hash, as in `recommender.data.splits`; those of one item by their rating.
"""

from dataclasses import dataclass

from recommender.data.vocabulary import MAX_TITLE_CHARACTERS
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
        query: over the tables of earlier steps.
        counted: the name of its reviews in the summary, if it counts them.
        kept: whether its rows are stored, and not computed again for each query.
    """

    table: str
    query: str
    counted: str | None = None
    kept: bool = True


def steps(config: PrepareConfig) -> list[Step]:
    """Return the steps from `review_lines` and `metadata_lines` to `split`: reviews, each with its part.

    Parts are train, test, validation and cold. Cold reviews are those since `split_time` with a user or item that
    is not in train; they belong to no channel.
    """
    return [*kept(config, before(config)), *split(config, before(config))]


def before(config: PrepareConfig) -> int:
    """Return the time in milliseconds before which users and items must have reviews to be known."""
    return int(config.split_time.timestamp() * 1000) if config.split_time else END_OF_TIME


def kept(config: PrepareConfig, until: int) -> list[Step]:
    """Return steps 1 to 3 of the paper's section 2.2.

    With a split at a point in time, later reviews do not affect earlier ones. Users are filtered by their items
    until then, and repeated reviews of one item by one user leave one review on each side.
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
    """Return the step that keeps one review per user and item on each side of `until`; none if all are kept."""
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
    """Return step 4, which assigns each rating to a part of the data."""
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
    """Return the steps that move each user's last rating to `part`, if the item also occurs in the remainder.

    All other ratings are train. A user's only rating stays, so that no user becomes unknown. Applied again to the
    train part, it holds out a validation rating that is no earlier than the user's train ratings. No item of test
    is lost.
    """
    last = f"""SELECT {REVIEW}, num_ratings > 1 AND row_number() OVER (
                    PARTITION BY user_id ORDER BY timestamp DESC, tie DESC, rating DESC) = 1 AS is_last
                FROM (SELECT {REVIEW}, num_ratings,
                        CASE WHEN timestamp = last_time THEN {tie(seed)} ELSE '' END AS tie
                      FROM (SELECT {REVIEW}, count(*) OVER (PARTITION BY user_id) AS num_ratings,
                                max(timestamp) OVER (PARTITION BY user_id) AS last_time
                            FROM {source}) AS with_last_time) AS with_tie"""
    return hold_out(last, part, table)


def next_basket(session_gap_hours: float) -> list[Step]:
    """Return the steps that move each user's last session to test: the ratings with items of the remainder.

    Consecutive ratings of a user with less than the gap between them are one session, those of one time always. A
    user's only session stays, so that no user becomes unknown.
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
    """Return the steps that move ratings to `part`, if their item also occurs in the remainder; the rest is train.

    Args:
        last: the query for all ratings, with a column `is_last` that is true for those to move.
        part: the name of the part.
        table: the name of the result.
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


def tie(seed: int) -> str:
    """Return the expression that orders a user's reviews of one time: that of `recommender.data.splits`."""
    return f"sha2(concat('{seed}', chr(10), user_id, chr(10), item_id), 256)"


def split_in_time(until: int) -> list[Step]:
    """Return the steps that split at a point in time: test has the later ratings of users and items in train."""
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
    """Return the query for the rows of a channel of ratings, in an order that depends on content only."""
    return f"SELECT {REVIEW} FROM split WHERE part = '{part}' ORDER BY user_id, timestamp, item_id, rating"


TITLES = """SELECT item_id, title FROM items
            WHERE item_id IN (SELECT item_id FROM split WHERE part <> 'cold') ORDER BY item_id"""
