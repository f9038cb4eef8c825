"""Questions that are chosen by what the answers find, with a planted table of neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from recommender.candidates.neighbours import Neighbours, NeighboursOptions
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.interactions import Interactions
from recommender.models.table import Table
from recommender.training.judge import Judge
from recommender.training.questions import HITS, useful_questions

FILLERS = [f"filler{number:02d}" for number in range(HITS)]
NEXT: Mapping[str, Sequence[str]] = {"milk": FILLERS, "tent": ["mat"], "pen": ["pad"], "mug": ["pad"]}
# user -> items in train, and the target
USERS: dict[str, tuple[tuple[str, ...], str]] = {f"t{number}": (("milk", "tent"), "mat") for number in range(6)}
USERS |= {f"p{number}": (("milk", "pen"), "pad") for number in range(5)}
USERS |= {f"m{number}": (("milk", "pen", "mug"), "pad") for number in range(2)}
USERS |= {"f": (("milk",), FILLERS[0]), "o": (("mat", "pad", *FILLERS), "milk")}


def world() -> tuple[Judge, Neighbours, Interactions]:
    """Return the judge of the users, the planted table, and the train events."""
    rows = [(user, item) for user, (own, _) in USERS.items() for item in own]
    data = Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id"]))
    number = {item_id: place for place, item_id in enumerate(data.items)}
    rows_of = [[number[item] for item in NEXT.get(item_id, ())] for item_id in data.items]
    ends = np.cumsum([0, *map(len, rows_of)])
    items = np.array([item for row in rows_of for item in row], np.int32)
    table = Table(ends, items, np.ones(len(items), np.float32))
    context = FitContext(data)
    users = {user_id: place for place, user_id in enumerate(data.users)}
    queries = [Query.of_known(context.histories, users[user]) for user in USERS]
    targets = np.array([number[target] for _, target in USERS.values()])
    return Judge(context, queries, targets), Neighbours(table, NeighboursOptions()), data


def test_the_next_question_is_the_one_whose_answers_find_the_most_targets_that_are_not_found_yet() -> None:
    judge, source, data = world()
    chosen = useful_questions(judge, {"neighbours": source}, {"neighbours": 1.0})
    # pen finds 7 targets, tent 6, and milk, which most users have, only 1; mug finds none that pen does not find.
    assert [data.items.id(item) for item in chosen] == ["pen", "tent", "milk"]


def test_without_targets_or_sources_there_are_no_useful_questions() -> None:
    judge, source, _ = world()
    assert useful_questions(judge, {}, {}) == []
    assert useful_questions(judge, {"neighbours": source}, {}) == []
    empty = replace(judge, queries=[], targets=judge.targets[:0])
    assert useful_questions(empty, {"neighbours": source}, {"neighbours": 1.0}) == []
