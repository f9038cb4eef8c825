"""Names of columns in input files. This module does not import pandas, because the server imports it."""

import shlex
from collections.abc import Iterable, Mapping

from recommender.common.messages import shown

REQUIRED = ("user_id", "item_id")
NAMES = (*REQUIRED, "rating", "timestamp", "weight", "event_type", "title")
NAME_IN_FILE = "..."  # in an option that the user completes

# Our name -> common names in files, the likeliest first; in lower case, without spaces, "_" and "-".
COMMON: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "uid", "customerid", "customer", "custid", "visitorid", "visitor", "clientid", "memberid"),
        *("accountid", "reviewerid", "reviewer", "buyerid", "shopperid", "personid", "profileid", "username"),
        *("usersession", "sessionid", "session"),
    ),
    "item_id": (
        *("itemid", "item", "iid", "productid", "product", "articleid", "article", "movieid", "movie", "parentasin"),
        *("asin", "sku", "stockcode", "goodsid", "offerid", "contentid", "bookid", "isbn", "songid", "trackid"),
        *("artistid", "businessid", "gameid", "newsid"),
    ),
    "rating": ("rating", "ratings", "stars", "starrating", "score", "overall", "bookrating", "ratingvalue", "grade"),
    "timestamp": (
        *("timestamp", "time", "datetime", "date", "ts", "tdat", "eventtime", "eventtimestamp", "eventdate"),
        *("unixtimestamp", "unixreviewtime", "createdat", "created", "invoicedate", "orderdate", "purchasedate"),
        *("transactiondate", "visitdate"),
    ),
    "weight": ("weight", "eventweight", "playcount"),
    "event_type": ("eventtype", "event", "eventname", "action", "actiontype", "behavior", "behaviour", "behaviortype",
                   "interactiontype", "interaction"),
    "title": ("title", "name", "productname", "prodname", "productdisplayname", "producttitle", "itemname",
              "movietitle", "booktitle"),
}  # fmt: skip


def parse_columns(text: str) -> dict[str, str]:
    """Parse a text such as `user_id=visitorid,item_id=itemid` into our name -> the name in the files.

    Raises:
        ValueError: a part is not such a pair, or a name or a column occurs twice.
    """
    columns: dict[str, str] = {}
    for part in text.split(",") if text.strip() else []:
        name, separator, given = (word.strip() for word in part.partition("="))
        if not separator or not given or name not in NAMES:
            raise ValueError(
                f"expected pairs such as user_id=visitorid,item_id=itemid; {_problem(name, given)}: the names before "
                f"'=' are {', '.join(NAMES)}"
            )
        if name in columns:
            raise ValueError(f"expected each name once, got {name} twice")
        columns[name] = given
    used = list({**{name: name for name in REQUIRED}, **columns}.values())
    for given in used:
        if used.count(given) > 1:
            raise ValueError(f"expected a different column for each name, got {shown(given)} for two")
    return columns


def likely_columns(wanted: Iterable[str], found: Iterable[str], used: Iterable[str]) -> dict[str, str]:
    """Guess the columns for the names `wanted`, among the columns `found` that are not `used`: our name -> column."""
    by_word = {_word(name): name for name in reversed([*found]) if name not in used and _may_be_given(name)}
    likely: dict[str, str] = {}
    for name in wanted:
        for word in COMMON[name]:
            if word in by_word:
                likely[name] = by_word.pop(word)
                break
    return likely


def as_option(columns: Mapping[str, str]) -> str:
    """Return the command-line option for these names, quoted for a shell."""
    return "--columns " + shlex.quote(_as_text(columns))


def as_argument(columns: Mapping[str, str]) -> str:
    """Return the argument of Python for these names."""
    return f"columns={_as_text(columns)!r}"


def _as_text(columns: Mapping[str, str]) -> str:
    return ",".join(f"{name}={given}" for name, given in columns.items())


def _problem(name: str, given: str) -> str:
    """Return the fault of a part of the option, and what was probably meant."""
    if given in NAMES and name not in NAMES:
        return f"write {given}={name}"
    meant = next((own for own, words in COMMON.items() if _word(name) in words), None)
    if given and meant:
        return f"write {meant}={given}"
    return f"{shown(name)} is no such pair" if not given else f"{shown(name)} is unknown"


def _word(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _may_be_given(name: str) -> bool:
    return "," not in name and name == name.strip() and name.isprintable()
