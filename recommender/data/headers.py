"""Find the columns of a file by the names in its header or schema."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.common.messages import shown
from recommender.data.column_names import NAME_IN_FILE, as_argument, as_option, likely_columns
from recommender.data.columns import Column, Columns
from recommender.errors import DataError

MAX_NAMES = 20  # columns in one message
FILE, FRAME = "the file", "the DataFrame"  # what has columns
NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?")
SEPARATORS = ";\t|"  # between the columns of files that are not CSV with commas


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


def find_columns(file: str, columns: Columns, found: Sequence[str], where: str = FILE) -> dict[str, str]:
    """Return our name -> the name in the file, for each column that the file has.

    Args:
        file: the name of the file.
        columns: the columns to find.
        found: the names in its header or schema.
        where: what has the columns, for messages.

    Raises:
        DataError: a required column is missing, or a column occurs twice.
    """
    names = names_in_file(columns)
    for name, given in names.items():
        if columns[name].required and given not in found:
            why = _why_required(name, columns[name])
            raise DataError(f"{file}: column {given!r} is missing{why}; {describe_columns(columns, found, where)}")
        if found.count(given) > 1:
            raise DataError(f"{file}: column {given!r} occurs {found.count(given)} times, expected once")
    return {name: given for name, given in names.items() if given in found}


def names_in_file(columns: Columns) -> dict[str, str]:
    """Return our name -> the name in the files."""
    return {name: column.name_in_file or name for name, column in columns.items()}


def describe_columns(columns: Columns, found: Sequence[str], where: str = FILE) -> str:
    """Describe the columns of a file, and the option that names the missing ones: probable or still to be filled in."""
    if len(found) == 1 and (separator := next((one for one in SEPARATORS if one in found[0]), None)):
        return f"{where} has one column, {shown(found[0])}: write ',' between columns instead of {separator!r}"
    listed = list_names(found)
    given = {
        name: column.name_in_file
        for name, column in columns.items()
        if column.name_in_file and column.name_in_file in found
    }
    meant = guess_columns(columns, found)
    missing = [
        name for name, column in columns.items() if column.required and (column.name_in_file or name) not in found
    ]
    unknown = {name: NAME_IN_FILE for name in missing if name not in meant}
    if found and all(NUMBER.fullmatch(name) for name in found):
        return f"{where} has {listed}: the first row must have the names of the columns"
    as_text = as_argument if where == FRAME else as_option
    option = f"; {'name' if unknown else 'perhaps'} {as_text(given | meant | unknown)}" if meant or unknown else ""
    return f"{where} has {listed or 'no columns'}{option}"


def list_names(names: Sequence[str]) -> str:
    """Return names for a message, at most `MAX_NAMES`."""
    return ", ".join(map(shown, names[:MAX_NAMES])) + (" and others" if len(names) > MAX_NAMES else "")


def guess_columns(columns: Columns, found: Sequence[str]) -> dict[str, str]:
    """Guess which columns of a file are the missing ones: our name -> the name in the file."""
    names = names_in_file(columns)
    missing = [name for name, given in names.items() if given not in found]
    return likely_columns(missing, found, [given for given in names.values() if given in found])


def _why_required(name: str, column: Column) -> str:
    if column.name_in_file:
        return f", which --columns gives for {name}"
    return f", which {column.needed_by} needs" if column.needed_by else ""
