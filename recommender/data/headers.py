"""The columns of a file by the names in its header or schema."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.common.messages import shown
from recommender.data.column_names import as_option, likely_columns
from recommender.data.columns import Column, Columns
from recommender.errors import DataError

MAX_NAMES = 20  # columns in one message


def named_columns(columns: Columns, names: Mapping[str, str]) -> Columns:
    """Return the columns with their names in the files, as the option `columns` gives them.

    A file must have a column with a given name. A column that is given to one name is not read for another.
    """
    given = {name: names[name] for name in columns if name in names}
    named: dict[str, Column] = {}
    for name, column in columns.items():
        if name in given:
            named[name] = replace(column, required=True, given=given[name])
        elif name not in given.values():
            named[name] = column
    return named


def located(file: str, columns: Columns, found: Sequence[str]) -> dict[str, str]:
    """Return our name -> the name in the file of each column that the file has.

    Args:
        file: the name of the file.
        columns: the columns to find.
        found: the names in its header or schema.

    Raises:
        DataError: a required column is missing, or a column occurs twice.
    """
    names = names_in_file(columns)
    for name, given in names.items():
        if columns[name].required and given not in found:
            raise DataError(f"{file}: column {given!r} is missing{_why(name, columns[name])}; {seen(columns, found)}")
        if found.count(given) > 1:
            raise DataError(f"{file}: column {given!r} occurs {found.count(given)} times, expected once")
    return {name: given for name, given in names.items() if given in found}


def names_in_file(columns: Columns) -> dict[str, str]:
    """Return our name -> the name in the files."""
    return {name: column.given or name for name, column in columns.items()}


def seen(columns: Columns, found: Sequence[str], where: str = "the file") -> str:
    """Return the names that a file has, and the option that probably names the missing columns."""
    listed = ", ".join(map(shown, found[:MAX_NAMES])) + (" and others" if len(found) > MAX_NAMES else "")
    given = {name: column.given for name, column in columns.items() if column.given and column.given in found}
    meant = likely(columns, found)
    option = f"; perhaps {as_option(given | meant)}" if meant else ""
    return f"{where} has {listed or 'no columns'}{option}"


def likely(columns: Columns, found: Sequence[str]) -> dict[str, str]:
    """Return our name -> the column that is probably meant, for the columns that a file does not have."""
    names = names_in_file(columns)
    missing = [name for name, given in names.items() if given not in found]
    return likely_columns(missing, found, [given for given in names.values() if given in found])


def _why(name: str, column: Column) -> str:
    if column.given:
        return f", which --columns gives for {name}"
    return f", which {column.needed_by} needs" if column.needed_by else ""
