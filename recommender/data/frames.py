"""Check data frames of the Python API in the same way as the files of a channel."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from recommender.common.messages import reason, shown
from recommender.data.attribute_columns import AttributeColumns, read_texts
from recommender.data.channels import consistent_chunks, event_columns, frame_of, items_of, title_columns
from recommender.data.columns import Chunks, Columns
from recommender.data.event_types import weigh
from recommender.data.formats.parquet import checked_batches
from recommender.data.headers import FRAME, find_columns
from recommender.data.interactions import Interactions
from recommender.data.options import EventOptions
from recommender.errors import DataError


def checked_events(name: str, frame: pd.DataFrame, options: EventOptions) -> pd.DataFrame:
    """Check the events of a frame and return them as `channels.read_events` does.

    Raises:
        DataError: a column is missing or a value is invalid; the message begins with `name`.
    """
    return weigh(_checked(name, frame, event_columns(options)), options.type_weights, name)


def to_interactions(events: pd.DataFrame, **options: object) -> Interactions:
    """Check the events of a frame as `train` does, and number their users and items.

    Args:
        events: user_id, item_id and optionally rating, timestamp, weight and event_type.
        options: hyper-parameters about the data, such as columns="user_id=visitorid" or duplicates="last".

    Raises:
        ConfigError: an option is unknown or invalid.
        DataError: a column is missing, or a value is invalid.
    """
    config = EventOptions.from_hyperparameters(options, "to_interactions()")
    return Interactions.from_frame(checked_events("events", events, config)).without_duplicates(config.duplicates)


def checked_items(name: str, frame: pd.DataFrame, options: EventOptions) -> pd.DataFrame:
    """Check the titles and attributes of a frame and return them as `channels.read_items` does.

    Raises:
        DataError: as `checked_events`.
    """
    attributes = AttributeColumns(options.item_attributes)
    return items_of(_chunks(name, frame, title_columns(options), attributes), name, attributes)


def _checked(name: str, frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    return frame_of(_chunks(name, frame, columns), name)


def _chunks(name: str, frame: pd.DataFrame, columns: Columns, attributes: AttributeColumns | None = None) -> Chunks:
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{name}: expected a pandas DataFrame, got {shown(frame)}: read a file with pandas.read_csv")
    found = [str(column) for column in frame.columns]
    wanted = list(find_columns(name, columns, found, FRAME).values())
    try:
        table = pa.Table.from_pandas(frame[wanted], preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{name}: expected columns of one type each: {reason(error)}") from None
    if attributes is not None:
        table = _with_attributes(table, name, frame, attributes.names(found, wanted), attributes)
    batches = [batch for batch in table.to_batches() if len(batch)]
    return consistent_chunks(checked_batches(name, found, batches, columns, attributes), columns)


def _with_attributes(
    table: pa.Table, name: str, frame: pd.DataFrame, columns: Sequence[str], attributes: AttributeColumns
) -> pa.Table:
    for column in columns:
        try:
            values = read_texts(pa.array(frame[column], from_pandas=True))  # pandas reads neither lists nor times
        except (pa.ArrowException, TypeError, ValueError) as error:  # UnsuitableError is a ValueError
            attributes.leave_out(column, reason(error), name)
            continue
        table = table.append_column(column, values)
    return table
