"""Channels of JSON Lines files."""

import pytest
from support.job import Job

LINE = '{"user_id": "u", "item_id": "i", "rating": 3, "timestamp": 1}\n'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"user_id": "u", "item_id": "i", "rating": "5"}',
            "line 1, column 'rating': expected a number from 1 to 5, got '5'",
        ),
        (
            LINE + '{"user_id": "u", "item_id": "i", "timestamp": 1}',
            "line 2, column 'rating': expected a number from 1 to 5, got nothing",
        ),
        ('\n\n{"item_id": "i", "rating": 5}', "line 3, column 'user_id': expected a text"),
        (
            LINE + LINE.replace(', "timestamp": 1', ""),
            "line 2, column 'timestamp': expected a number, or a date or time such as",
        ),
        (LINE.replace('"u"', r'"\ud800"'), "line 1: expected one JSON object in UTF-8: unexpected end of hex"),
        (LINE.encode().replace(b'"u"', b'"\xff"'), "line 1: expected one JSON object in UTF-8"),
        (LINE.replace("3", "6"), "line 1, column 'rating': expected a number from 1 to 5, got 6"),
        (LINE.replace("3", "1e999"), "line 1, column 'rating': expected a number from 1 to 5, got inf"),
        (
            LINE.replace("1}", "9" * 4000 + "}"),
            "line 1, column 'timestamp': expected a number, or a date or time such as",
        ),
        (LINE.replace("1}", "9" * 5000 + "}"), "line 1: expected one JSON object in UTF-8: number out of range"),
        (LINE.replace('"u"', "1.0"), "line 1, column 'user_id': expected a text that is not empty"),
        (LINE + "[1]\n", "line 2: expected one JSON object, got a list of 1"),
        (LINE + '"user_id"\n', "line 2: expected one JSON object, got 'user_id'"),
        (LINE * 2 + LINE[:20], "line 3: expected one JSON object in UTF-8: EOF"),
        ("[" * 100_000, "line 1: expected one JSON object in UTF-8: recursion limit"),
        (LINE.strip() + LINE, "line 1: expected one JSON object in UTF-8: trailing characters at character"),
        (" " * (2**24 + 1), "line 1: expected at most 16,777,216 bytes, got more"),
        (LINE + LINE.replace('"u"', '"' + "x" * 2**24 + '"'), "line 2: expected at most 16,777,216 bytes, got more"),
    ],
    ids=range(18),
)
def test_an_error_in_json_lines_names_the_line(job: Job, content: str | bytes, expected: str) -> None:
    assert job.problem("a.jsonl", content).startswith(expected)


def test_a_byte_order_mark_empty_lines_and_repeated_names_do_no_harm(job: Job) -> None:
    twice = LINE.replace('"rating": 3', '"rating": "x", "rating": 4')
    job.write("train/a.jsonl", "\ufeff" + LINE + "\r\n \n" + twice.strip())
    assert job.ratings()["rating"].tolist() == [3, 4]
