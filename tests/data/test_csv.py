"""Well-formed and malformed CSV."""

import csv
import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.job import Job

from recommender.data.channels import read_items
from recommender.data.formats import csv_text
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import DataError

HEADER = "user_id,item_id,rating,timestamp\n"
QUOTED = 'u"0,i0,3,1\n'  # Arrow does not parse a block with such a quote
CLOSED = "expected CSV, got text after a closing quote; a quote within quotes is written twice"
PIECES = ["a", "b,", '"', '""', '"a,"', '"c""d",', "\n", '"\r\n"', "é", "\r\n", '"e",f\n']
OPEN = "expected CSV, got a quote that is never closed"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('"ab"c,i1,5,1', CLOSED),
        ('"ab" ,i1,5,1', CLOSED),
        ('u,"i""1"x,5,1', CLOSED),
        ('u,i,5,"1"2', CLOSED),
        ('"ab"\x00,i1,5,1', CLOSED),
        ('"ab,i1,5,1', OPEN),
        ('u,i,5,"', OPEN),
        ('u,i,5,"1""', OPEN),
    ],
)
def test_malformed_quotes_are_refused_with_file_and_row(job: Job, row: str, expected: str) -> None:
    assert (
        job.problem("a.csv", f"{HEADER}u,i,1,1\n\nu,i,2,1\n{row}\n") == f"row 3 below the header (line 5): {expected}"
    )
    assert job.problem("a.csv", f'"user_id"x,{HEADER}') == f"the header (line 1): {CLOSED}"


def test_malformed_quotes_in_titles_are_refused(job: Job) -> None:
    job.write("items/a.csv", 'item_id,title\na,"15"" inch"\nb,"15" inch\n')
    with pytest.raises(DataError, match=r"a\.csv: row 2 below the header \(line 3\): expected CSV, got text after"):
        job.titles()


def test_a_quote_inside_an_unquoted_field_is_a_character(job: Job) -> None:
    job.write("items/a.csv", 'item_id,title\na,15" inch\nb, "x"\nc,""""\n')
    assert job.titles()["title"].tolist() == ['15" inch', ' "x"', '"']


def test_a_field_that_spans_lines_is_read_and_reported(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    header = HEADER.replace("item_id", "item_id,title")
    job.write("train/a.csv", f'{header}u,i1,x,1,1\nu,i2,"15 inch,1,1\nu,i3,y,1,1\nu,i4,",1,1\nu,i5,"a\r\nb",1,1\n')
    assert job.ratings()["item_id"].tolist() == ["i1", "i2", "i5"]
    printed = "a.csv: row 2 below the header spans 3 lines within quotes, the first of 2 such rows: if each line"
    assert printed in capsys.readouterr().out
    job.write("items/a.csv", 'item_id,title\na,"15 inch\nb,x\nc,"\n')
    assert job.titles()["title"].tolist() == ["15 inch\nb,x\nc,"]
    assert "a.csv: row 1 below the header spans 3 lines within quotes: if each line is a row" in capsys.readouterr().out


def test_nothing_is_reported_if_no_field_spans_lines(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.write("train/a.csv", '"user_id","item_id",rating\r\n"u","i",3\r\n\r\n"v","j",3\r\n')
    assert len(job.ratings()) == 2
    assert "spans" not in capsys.readouterr().out


@pytest.mark.parametrize("more", ["", QUOTED])
def test_a_latin_1_byte_in_a_late_row_is_named_with_row_and_column(job: Job, more: str) -> None:
    rows = "".join(f"u{row},i{row},3,1\n" for row in range(300_000))
    content = f"{HEADER}{rows}{more}".encode() + b"u,caf\xe9,3,1\n"
    assert job.problem("a.csv", content) == (
        f"row {300_001 + bool(more)} below the header, column 'item_id': expected UTF-8 text, got b'caf\\xe9' at "
        "character 1: save the file as UTF-8"
    )
    long = HEADER.encode() + more.encode() + b"u," + "é".encode() * 500 + b"\xe9,3,1\n"
    assert "got b'\\xc3\\xa9" in job.problem("a.csv", long)


@pytest.mark.parametrize("more", ["", 'u"0,i,"ok",1,1\n'])
def test_a_bad_byte_in_an_ignored_column_does_no_harm(job: Job, more: str) -> None:
    header = HEADER.replace("item_id", "item_id,colour")
    job.write("train/a.csv", f"{header}{more}".encode() + b"u,i,caf\xe9\xff,5,1\n")
    assert job.ratings()["rating"].tolist() == [1.0] * bool(more) + [5.0]


def test_a_header_name_that_is_not_utf_8_does_no_harm(job: Job) -> None:
    job.write("train/a.csv", b"user_id,item_id,couleur pr\xe9f\xe9r\xe9e\nu,i,x\n")
    assert job.ratings()["user_id"].tolist() == ["u"]
    assert "column 'item_id' is missing; the file has 'user_id', '\\udce9'" in job.problem(
        "a.csv", b"user_id,\xe9\nu,i\n"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_16_is_refused_by_name(job: Job, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    for name in ("a.csv", "a.jsonl"):
        message = job.problem(name, (mark + HEADER + "u,i,3,1\n").encode(encoding))
        assert message == "expected UTF-8 text, got UTF-16 or UTF-32: save it as UTF-8"
        job.base_dir.joinpath("input/data/train", name).unlink()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [*range(1, 12), 10**6])
@pytest.mark.parametrize("quote", ["", '"'])
def test_every_line_end_works_wherever_a_block_ends(
    job: Job, monkeypatch: pytest.MonkeyPatch, end: str, size: int, quote: str
) -> None:
    monkeypatch.setattr(csv_text, "BYTES_AT_ONCE", size)
    rows = ["user_id,item_id,rating", "u,i,1", "", f"{quote}é{quote},j,2", "   ", "w,k,3"]
    job.write("train/a.csv", end.join(rows))
    assert job.ratings().to_numpy().tolist() == [["u", "i", 1.0], ["é", "j", 2.0], ["w", "k", 3.0]]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from('ab",\n\r é'), max_size=30) | st.lists(st.sampled_from(PIECES)).map("".join),
    size=st.integers(1, 60),
)
def test_every_text_is_read_as_by_pythons_csv_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    monkeypatch.setattr(csv_text, "BYTES_AT_ONCE", size)
    file = tmp_path_factory.mktemp("channel") / "a.csv"
    file.write_text("item_id,title\n" + text, newline="")
    try:
        with open_channel(file) as files:
            found = [*read_items(files, EventOptions()).itertuples(index=False, name=None)]
    except DataError:
        found = None
    assert found == by_python(text)


def by_python(text: str) -> list[tuple[str, str]] | None:
    """Parse CSV with Python's `csv`; return None if a row is malformed or can't be an item, or if there are no rows."""
    try:
        rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error:
        return None
    rows = [row for row in rows if row and not (len(row) == 1 and row[0].isspace())]
    if not rows or any(len(row) > 2 or not row[0] for row in rows):
        return None
    return [(row[0], row[1] if len(row) > 1 else "") for row in rows]


def test_a_quote_that_is_never_closed_is_refused_before_the_end_of_the_file(job: Job) -> None:
    content = HEADER.encode() + b'u,"' + b"i\n" * (12 * 2**20)
    message = job.problem("a.csv.gz", gzip.compress(content, 1)[:-8])  # cut off: the reader must not reach the end
    assert message.startswith("row 1 below the header (line 2): expected at most 16,777,216 characters, got more")


def test_a_file_of_more_columns_than_the_bound_is_refused(job: Job) -> None:
    names = ",".join(f"c{number}" for number in range(10_000))
    assert job.problem("a.csv", f"user_id,item_id,{names}\nu,i\n") == "expected at most 10,000 columns, got 10,002"
