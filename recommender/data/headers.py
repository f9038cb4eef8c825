"""Find the columns of a file by the names in its header or schema."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.common.messages import shown
from recommender.data.column_names import as_option, likely_columns
from recommender.data.columns import Column, Columns
from recommender.errors import DataError

MAX_NAMES = 20  # columns in one message


def named_columns(columns: Columns, names: Mapping[str, str]) -> Columns:
    """Set the columns' names in the files, as the option `columns` gives them.

    A column that the option names is required. A column of a file that the option gives to one name is not read for
    another.
    """
    given = {name: names[name] for name in columns if name in names}
    named: dict[str, Column] = {}
    for name, column in columns.items():
        if name in given:
            named[name] = replace(column, required=True, name_in_file=given[name])
        elif name not in given.values():
            named[name] = column
    return named


def find_columns(file: str, columns: Columns, found: Sequence[str]) -> dict[str, str]:
    """Return our name -> the name in the file, for each column that the file has.

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
            why = _why_required(name, columns[name])
            raise DataError(f"{file}: column {given!r} is missing{why}; {describe_columns(columns, found)}")
        if found.count(given) > 1:
            raise DataError(f"{file}: column {given!r} occurs {found.count(given)} times, expected once")
    return {name: given for name, given in names.items() if given in found}


def names_in_file(columns: Columns) -> dict[str, str]:
    """Return our name -> the name in the files."""
    return {name: column.name_in_file or name for name, column in columns.items()}


def describe_columns(columns: Columns, found: Sequence[str], where: str = "the file") -> str:
    """Describe the columns of a file, and the option that probably names the missing ones."""
    listed = ", ".join(map(shown, found[:MAX_NAMES])) + (" and others" if len(found) > MAX_NAMES else "")
    given = {
        name: column.name_in_file
        for name, column in columns.items()
        if column.name_in_file and column.name_in_file in found
    }
    meant = guess_columns(columns, found)
    option = f"; perhaps {as_option(given | meant)}" if meant else ""
    return f"{where} has {listed or 'no columns'}{option}"


def guess_columns(columns: Columns, found: Sequence[str]) -> dict[str, str]:
    """Guess which columns of a file are the missing ones: our name -> the name in the file."""
    names = names_in_file(columns)
    missing = [name for name, given in names.items() if given not in found]
    return likely_columns(missing, found, [given for given in names.values() if given in found])


def _why_required(name: str, column: Column) -> str:
    if column.name_in_file:
        return f", which --columns gives for {name}"
    return f", which {column.needed_by} needs" if column.needed_by else ""
