"""What rules cost, on planted tastes."""

from support.tastes import TASTES

from recommender.evaluation.ranking import Rankings
from study.rules import COMMON, NO_RULE, PROMOTE, RULES, attributes, kinds, measure, sampled, section


def test_the_kind_is_the_rarest_word_that_enough_titles_have() -> None:
    titles = [*["red boots"] * COMMON, *["red gloves"] * COMMON, *["red"] * 3, "blue", ""]
    found = kinds(titles)
    assert found == [*["boots"] * COMMON, *["gloves"] * COMMON, *["red"] * 3, None, None]


def test_each_rule_has_its_effect_and_the_table_has_a_line_for_it() -> None:
    users = sampled(TASTES)
    found = measure(TASTES, users)
    assert [*found] == [*RULES]
    assert all(len(Rankings.of(items, TASTES.relevant).hits) == len(users) for items in found.values())
    promoted = attributes(TASTES)["promoted"]
    is_promoted = promoted.matches(promoted.checked(PROMOTE["promoted"], "promoted"))
    share = {name: is_promoted[items].mean() for name, items in found.items()}
    assert share["`promote` 0.5"] > share[NO_RULE]
    table = section(TASTES, found, users)
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[4:]] == [*RULES]
