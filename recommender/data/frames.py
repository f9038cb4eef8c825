"""A user's data frame -> the checked data frame, as read from a channel."""

import pandas as pd
import pyarrow as pa

from recommender.common.messages import reason
from recommender.data.channels import TITLE_COLUMNS, cut_titles, frame_of, ratings_columns
from recommender.data.columns import Columns, require_columns
from recommender.data.formats.parquet import checked_batches
from recommender.errors import DataError


def checked_ratings(name: str, frame: pd.DataFrame, rating_min: float, rating_max: float) -> pd.DataFrame:
    """Return user_id, item_id, rating and, if it is there, timestamp, as `channels.read_ratings` does.

    Raises:
        DataError: a column is missing or a value is invalid; the message begins with `name`.
    """
    return _checked(name, frame, ratings_columns(rating_min, rating_max))


def checked_titles(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return item_id and title, as `channels.read_titles` does.

    Raises:
        DataError: as `checked_ratings`.
    """
    return cut_titles(_checked(name, frame, TITLE_COLUMNS))


def _checked(name: str, frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    present = require_columns(name, columns, [str(column) for column in frame.columns])
    try:
        table = pa.Table.from_pandas(frame[present], preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{name}: expected columns of one type each: {reason(error)}") from None
    batches = [batch for batch in table.to_batches() if len(batch)]
    return frame_of(checked_batches(name, batches, columns), name)
