"""The paper's steps in pandas, Polars and DuckDB; each prints its numbers of train and test rows.

python -m benchmarks.prepare_peers pandas|polars|duckdb REVIEWS METADATA
"""

import gzip
import json
import sys
from collections.abc import Callable

MIN_ITEMS = 5


def with_pandas(reviews_file: str, metadata_file: str) -> tuple[int, int]:
    """Return the numbers of train and test rows, the naive way: json.loads for each line, all in one frame."""
    import pandas as pd

    with gzip.open(reviews_file) as file:
        reviews = pd.DataFrame([json.loads(line) for line in file])
    with gzip.open(metadata_file) as file:
        metadata = pd.DataFrame([json.loads(line) for line in file])
    reviews = reviews[reviews["verified_purchase"]]
    reviews = reviews[reviews["parent_asin"].isin(metadata["parent_asin"])]
    unique = reviews.groupby("user_id")["parent_asin"].nunique()
    reviews = reviews[reviews["user_id"].isin(unique[unique >= MIN_ITEMS].index)]
    last = reviews.sort_values(["timestamp", "parent_asin", "rating"]).groupby("user_id").tail(1)
    remaining = reviews.drop(last.index)
    test = last[last["parent_asin"].isin(remaining["parent_asin"])]
    return len(reviews) - len(test), len(test)


def with_polars(reviews_file: str, metadata_file: str) -> tuple[int, int]:
    """Return the numbers of train and test rows, with lazy Polars on its streaming engine."""
    import polars as pl

    schema = {"user_id": pl.String, "parent_asin": pl.String, "rating": pl.Float64, "timestamp": pl.Int64,
              "verified_purchase": pl.Boolean}  # fmt: skip
    items = pl.scan_ndjson(metadata_file, schema={"parent_asin": pl.String, "title": pl.String})
    reviews = (
        pl.scan_ndjson(reviews_file, schema=schema)
        .filter("verified_purchase")
        .join(items.select("parent_asin").unique(), on="parent_asin", how="semi")
    )
    active = (
        reviews.group_by("user_id")
        .agg(pl.col("parent_asin").n_unique().alias("num"))
        .filter(pl.col("num") >= MIN_ITEMS)
    )
    kept = reviews.join(active, on="user_id", how="semi").collect(engine="streaming")
    ordered = kept.sort("user_id", "timestamp", "parent_asin", "rating")
    is_last = ordered["user_id"] != ordered["user_id"].shift(-1, fill_value="")
    last, remaining = ordered.filter(is_last), ordered.filter(~is_last)
    test = last.join(remaining.select("parent_asin").unique(), on="parent_asin", how="semi")
    return len(ordered) - len(test), len(test)


def with_duckdb(reviews_file: str, metadata_file: str) -> tuple[int, int]:
    """Return the numbers of train and test rows, with DuckDB's JSON reader, which names no bad line.

    Its memory limit is that of `recommender prepare`.
    """
    import duckdb

    fields = (
        "{user_id: 'VARCHAR', parent_asin: 'VARCHAR', rating: 'DOUBLE', timestamp: 'BIGINT', "
        "verified_purchase: 'BOOLEAN'}"
    )
    connection = duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": False})
    connection.execute(f"""
        CREATE TABLE kept AS
            WITH known AS (
                SELECT * FROM read_json('{reviews_file}', format = 'newline_delimited', columns = {fields})
                WHERE verified_purchase AND parent_asin IN (
                    SELECT parent_asin FROM read_json('{metadata_file}', format = 'newline_delimited',
                                                      columns = {{parent_asin: 'VARCHAR'}})))
            SELECT * FROM known WHERE user_id IN (
                SELECT user_id FROM known GROUP BY user_id HAVING count(DISTINCT parent_asin) >= {MIN_ITEMS});
        CREATE TABLE ranked AS
            SELECT *, row_number() OVER (
                PARTITION BY user_id ORDER BY timestamp DESC, parent_asin DESC, rating DESC) AS age FROM kept""")
    ((total, test),) = connection.execute("""
        SELECT count(*), count(*) FILTER (age = 1 AND parent_asin IN (SELECT parent_asin FROM ranked WHERE age > 1))
        FROM ranked""").fetchall()
    return total - test, test


PEERS: dict[str, Callable[[str, str], tuple[int, int]]] = {
    "pandas": with_pandas,
    "polars": with_polars,
    "duckdb": with_duckdb,
}

if __name__ == "__main__":
    print(*PEERS[sys.argv[1]](*sys.argv[2:]))
