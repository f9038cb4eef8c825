"""Channels of CSV files: order, columns, IDs and error messages."""

import gzip

import pytest
from support.job import Job

from recommender.errors import DataError

HEADER = "user_id,item_id,rating,timestamp\n"


def ratings_of(job: Job) -> list[list[object]]:
    return job.ratings().to_numpy().tolist()


def test_files_are_read_in_order_of_name_plain_and_compressed(job: Job) -> None:
    job.write("train/b.csv", HEADER + "u2,i2,2,20\n")
    job.write("train/a.csv.gz", gzip.compress((HEADER + "u1,i1,1.5,10\n").encode()))
    assert ratings_of(job) == [["u1", "i1", 1.5, 10], ["u2", "i2", 2.0, 20]]


def test_files_of_nested_folders_are_read_too(job: Job) -> None:
    job.write("train/part=1/a.csv", HEADER + "u1,i1,1,10\n")
    job.write("train/part=0/a.csv", HEADER + "u2,i2,2,20\n")
    assert [row[0] for row in ratings_of(job)] == ["u2", "u1"]


def test_a_byte_order_mark_is_not_part_of_a_name(job: Job) -> None:
    job.write("train/a.csv", "\ufeff" + HEADER + "u1,i1,1,10\n")
    assert ratings_of(job) == [["u1", "i1", 1.0, 10]]


def test_other_columns_and_hidden_files_are_ignored(job: Job) -> None:
    job.write("train/a.csv", ",rating,item_id,colour,user_id\n0,5,i,red,u\n")
    job.write("train/.a.csv.tmp", "ignored")
    job.write("train/_SUCCESS", "")
    job.write("train/_temporary/a.parquet", "half a file")
    assert job.ratings().to_dict("records") == [{"user_id": "u", "item_id": "i", "rating": 5.0}]


@pytest.mark.parametrize("identifier", ["NA", "null", "01", "1e5", "True", " x", "é", "日本", '"', "a,b", "nan"])
def test_an_id_is_kept_as_in_the_file(job: Job, identifier: str) -> None:
    quoted = '"' + identifier.replace('"', '""') + '"'
    job.write("train/a.csv", f"{HEADER}{quoted},{quoted},3,1\n")
    assert ratings_of(job)[0][:2] == [identifier, identifier]


def test_titles_may_be_empty(job: Job) -> None:
    job.write("items/a.csv", "item_id,title\na,\nb,Red shirt\nc\n")
    assert job.titles().to_numpy().tolist() == [["a", ""], ["b", "Red shirt"], ["c", ""]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("user_id,rating\nu,5\n", ["column 'item_id' is missing", "'user_id', 'rating'"]),
        (HEADER + "u,i,5,1\nu,i,6,1\n", ["row 2 below the header", "'rating'", "from 1 to 5", "'6'"]),
        (HEADER + "u,i,True,1\nu,i,True,1\n", ["row 1", "'rating'", "'True'"]),
        (HEADER + "u,i,nan,1\n", ["row 1", "'rating'", "'nan'"]),
        (HEADER + "u,i,,1\n", ["row 1", "'rating'", "''"]),
        (HEADER + "u,i,five,1\n", ["row 1", "'rating'", "'five'"]),
        (HEADER + "u,i,inf,1\n", ["row 1", "'rating'", "inf"]),
        (HEADER + ",i,3,1\n", ["row 1", "'user_id'", "a text that is not empty", "''"]),
        (HEADER + "u," + "i" * 1001 + ",3,1\n", ["row 1", "'item_id'", "at most 1,000 characters", "'iii"]),
        ("user_id,item_id,rating,rating\nu,i,3,4\n", ["'rating'", "2 times"]),
        (HEADER + "u,i,3,yesterday\n", ["row 1", "'timestamp'", "'yesterday'"]),
        (HEADER + "u,i,3,1e300\n", ["row 1", "'timestamp'", "'1e300'"]),
        (HEADER + "row,u,i,3,1\nrow,u,i,3,1\n", ["row 1 below the header (line 2)", "got 5"]),
        (HEADER + "u,i,3,1\nu,i,3,1,surplus\n", ["row 2 below the header (line 3)", "at most 4 fields", "got 5"]),
        (HEADER + "u,i\n", ["row 1", "'rating'"]),
        (HEADER + '"u,i,3,1\n', ["row 1 below", "(line 2)", "got a quote that is never closed"]),
        (HEADER, ["at least one row"]),
        ("", ["at least one row"]),
        (b"user_id,item_id,rating\n\xff\xfe,i,3\n", ["row 1", "column 'user_id'", "UTF-8", "\\xff"]),
    ],
)
def test_an_error_names_file_row_column_value_and_what_was_expected(
    job: Job, content: str | bytes, expected: list[str]
) -> None:
    file = job.write("train/a.csv", content)
    with pytest.raises(DataError) as error:
        ratings_of(job)
    message = str(error.value)
    assert str(file.parent) in message
    assert [words for words in expected if words not in message] == []


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-12], lambda data: b"not gzip", lambda data: data[:30] + b"x" * 30]
)
def test_a_damaged_gzip_file_is_named(job: Job, damage: object) -> None:
    assert callable(damage)
    rows = "".join(f"u{number},i,3,1\n" for number in range(1000))
    job.write("train/a.csv.gz", damage(gzip.compress((HEADER + rows).encode())))
    with pytest.raises(DataError, match=r"a\.csv\.gz: can't be read"):
        ratings_of(job)


def test_a_column_that_only_some_files_have_is_named(job: Job) -> None:
    job.write("train/a.csv", HEADER + "u,i,3,1\n")
    job.write("train/b.csv", "user_id,item_id,rating\nu,j,3\n")
    with pytest.raises(DataError, match=r"b\.csv: column 'timestamp' is missing, but .*a\.csv has it"):
        ratings_of(job)


def test_a_huge_value_is_cut_in_the_message(job: Job) -> None:
    job.write("train/a.csv", HEADER + f"u,i,{'x' * 1_000_000},1\n")
    with pytest.raises(DataError) as error:
        ratings_of(job)
    assert len(str(error.value)) < 500
