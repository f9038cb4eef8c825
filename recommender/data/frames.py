"""A user's data frame -> the checked data frame, as read from a channel."""

import pandas as pd
import pyarrow as pa

from recommender.common.messages import reason
from recommender.data.channels import alike, cut_titles, event_columns, frame_of, title_columns
from recommender.data.columns import Columns
from recommender.data.event_types import weigh
from recommender.data.formats.parquet import checked_batches
from recommender.data.headers import located
from recommender.data.options import EventOptions
from recommender.errors import DataError


def checked_events(name: str, frame: pd.DataFrame, options: EventOptions) -> pd.DataFrame:
    """Return the events of a frame that count, as `channels.read_events` does.

    Raises:
        DataError: a column is missing or a value is invalid; the message begins with `name`.
    """
    return weigh(_checked(name, frame, event_columns(options)), options.type_weights, name)


def checked_titles(name: str, frame: pd.DataFrame, options: EventOptions) -> pd.DataFrame:
    """Return item_id and title, as `channels.read_titles` does.

    Raises:
        DataError: as `checked_events`.
    """
    return cut_titles(_checked(name, frame, title_columns(options)))


def _checked(name: str, frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    found = [str(column) for column in frame.columns]
    wanted = list(located(name, columns, found).values())
    try:
        table = pa.Table.from_pandas(frame[wanted], preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{name}: expected columns of one type each: {reason(error)}") from None
    batches = [batch for batch in table.to_batches() if len(batch)]
    return frame_of(alike(checked_batches(name, found, batches, columns), columns), name)
