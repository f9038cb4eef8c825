"""README and site: complete, correct, plain, and readable without network."""

import ast
import io
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import click
import numpy as np
import pandas as pd
import pytest
import settings
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from support.job import ROOT
from support.pages import CHROMIUM, OFFLINE
from support.prose import sentences
from test_structure import ROOMS

from docs import generate, variables
from infra.__main__ import cli
from recommender.__main__ import COMMANDS, module_of
from recommender.pipeline.recommendations import Because
from recommender.ranking.base import ITEM_FIELDS
from recommender.sagemaker import environment, server_environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
PROSE = {name: text for name, text in PAGES.items() if len(sentences(text)) >= 5}
MAX_LINES = 180
MEDIAN_WORDS, NINTH_DECILE_WORDS = 15, 28
HARD_WORDS = re.compile(r"\b(whom|whose|somebody|everybody|shopper|beside|of ours|for ever)\b", re.IGNORECASE)
CODE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def reference(name: str) -> str:
    return PAGES[f"docs/reference/{name}.md"]


def first_column(text: str) -> list[str]:
    """Return the names in the first column of all tables."""
    return re.findall(r"^\| `([\w-]+)[^|]*\|", text, re.MULTILINE)


AXE = {"runOnly": ["wcag2a", "wcag2aa"], "preload": False}  # the browser lets no page from disk fetch style sheets


# Generated parts


@pytest.mark.parametrize("name", generate.DOCUMENTS)
def test_generated_parts_match_the_code(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == generate.generated(text, generate.DOCUMENTS[name]), "run make docs"


def test_every_option_of_every_command_is_in_the_reference() -> None:
    of_configurations = {f"--{name}" for name in first_column(reference("hyper-parameters"))}
    for title, command in all_commands():
        section = (reference("commands") + reference("infra")).partition(f"## {title}\n")[2].partition("\n## ")[0]
        listed = {*re.findall(r"`(--[\w-]+)", section), *of_configurations}
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        assert section
        assert [option.opts for option in options if not listed & {*option.opts, *option.secondary_opts}] == []


def test_every_variable_is_in_the_reference() -> None:
    text = reference("variables")
    for module in (environment, server_environment):
        assert set(variables.names_in(module)) <= set(first_column(text))
    of_the_function = {
        settings.ENDPOINT_NAME,
        settings.REGION,
        settings.CONNECT_TIMEOUT,
        settings.READ_TIMEOUT,
        settings.CORS_ORIGIN,
    }
    assert of_the_function <= set(first_column(text))


def test_every_field_of_an_item_is_in_the_reference_and_in_the_example() -> None:
    listed = first_column(reference("requests"))
    response = json.loads(next(body for kind, body in CODE.findall(PAGES["docs/serving.md"]) if kind == "json"))
    item = response["items"][0]
    because = [field.name for field in fields(Because)]
    names = [name for name in ITEM_FIELDS if name not in ("sources", "because", "rule")]
    assert list(response) == ["user_id", "recommended_items", "items", "source"]
    assert list(item) == [*names, "similarity", "sources", "because", "rule"]
    assert all(list(part) == because for part in item["because"])
    assert {*response, *item, *because, "error", "field"} <= set(listed)


# Content


def test_the_front_page_is_short() -> None:
    assert len(README.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", PROSE)
def test_sentences_are_short(name: str) -> None:
    lengths = sorted(len(words) for words in sentences(PROSE[name]))
    assert statistics.median(lengths) <= MEDIAN_WORDS
    assert lengths[int(0.9 * (len(lengths) - 1))] <= NINTH_DECILE_WORDS


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_word_that_makes_readers_stumble(name: str) -> None:
    assert HARD_WORDS.findall(re.sub(r"`[^`]*`", "", generate.PART.sub("", PAGES[name]))) == []


def texts_of_code(folders: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield the docstrings and comments of Python files."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
        yield from ((path, text) for node in nodes if (text := ast.get_docstring(node)))
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield path, token.string.lstrip("# ")


def test_docstrings_and_comments_are_plain() -> None:
    found = list(texts_of_code(["recommender", "infra", "lambda", "study", "benchmarks", "docs", "tests"]))
    lengths = sorted(len(words) for _, text in found for words in sentences(text))
    assert len(lengths) > 3_000
    assert statistics.median(lengths) <= MEDIAN_WORDS
    assert lengths[int(0.9 * (len(lengths) - 1))] <= NINTH_DECILE_WORDS
    hard = [
        (str(path.relative_to(ROOT)), text) for path, text in found if HARD_WORDS.search(re.sub("`[^`]*`", "", text))
    ]
    assert hard == []


def test_the_architecture_page_lists_the_rooms_in_their_order() -> None:
    section = PAGES["docs/architecture.md"].partition("## Rooms")[2].partition("\n## ")[0]
    rooms = [name.removesuffix(".py") for name in re.findall(r"^\| `([\w.]+)/?`", section, re.MULTILINE)]
    assert [name for name in rooms if name in ROOMS] == [room for room in ROOMS if room != "__main__"]
    paths = re.findall(r"`([\w.]+/?)`", section.partition("Around the package")[2].replace("`features/`", ""))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_numbers_of_the_front_page_are_measured() -> None:
    (rate,) = re.findall(r"serves (\d+) requests per second", README)
    assert f"| default | 1 | {rate} |" in (ROOT / "results" / "serve.md").read_text()
    (seconds,) = re.findall(r"takes (\d+) s in all", README)
    assert f"train.py in all, report included: {seconds} s." in (ROOT / "results" / "main_job.md").read_text()


def test_no_page_copies_a_table_of_results() -> None:
    rows = {line for file in (ROOT / "results").glob("*.md") for line in file.read_text().splitlines()}
    measured = {row for row in rows if row.startswith("|") and re.search(r"\d", row)}
    assert [line for text in PAGES.values() for line in text.splitlines() if line in measured] == []


def test_every_benchmark_is_in_the_readme_of_benchmarks() -> None:
    listed = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert path.name in listed or path.name == "__init__.py"


def test_every_guarantee_names_a_test_that_exists() -> None:
    section = PAGES["docs/limits.md"].partition("## Which test shows it")[2]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| what", "| ---"))]
    named = [re.findall(r"`(test_\w+)` in `(tests/[\w/]+\.py)`", line) for line in rows]
    assert all(named)
    assert len(rows) > 50
    for name, file in (pair for found in named for pair in found):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}: {name}"


def test_every_line_of_the_contract_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PAGES["docs/contract.md"], re.MULTILINE)
    files = ("container/test_image.py", "function/test_handler.py")
    tests = "".join((ROOT / "tests" / file).read_text() for file in files)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    missing = [number for number, test in rows if not (test.startswith("`") and f"def {test[1:-1]}(" in tests)]
    assert missing == ["24"]


def test_every_line_of_the_contract_that_a_comment_cites_is_on_its_page() -> None:
    lines = set(re.findall(r"^\| ([TS]\d+) \|", PAGES["docs/contract.md"], re.MULTILINE))
    sources = [path for folder in ("recommender", "infra", "lambda", "tests") for path in (ROOT / folder).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in [*sources, ROOT / "Dockerfile"])
    cited = {line for part in re.findall(r"\(?contract ([TS]\d+(?:[, and]+[TS]\d+)*)", text) for line in
             re.findall(r"[TS]\d+", part)}  # fmt: skip
    assert len(cited) > 15
    assert cited <= lines


# Commands and examples


def all_commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = module_of(name).command
        yield f"recommender {name}", command if isinstance(command, click.Command) else command()
    yield from ((f"infra {name}", command) for name, command in cli.commands.items())


def lines_of_code() -> Iterator[tuple[str, str]]:
    """Yield each line of the shell blocks with its page; a backslash at its end joins it with the next line."""
    for name, text in PAGES.items():
        for kind, body in CODE.findall(text):
            if kind == "":
                yield from ((name, line) for line in body.replace("\\\n", " ").splitlines())


PROGRAMS = {
    r"(?:\.venv/bin/)?recommender ([\w-]+)": "recommender",
    r"(?:\.venv/bin/)?python (train|serve)\.py": "recommender",
    r"docker run .*? recommender (train|serve|score)\b": "recommender",
    r"\.venv-aws/bin/python -m infra (\w+)": "infra",
}
COMMAND_LINES = {
    line.partition(" #")[0].strip(): (f"{program} {match[1]}", line.partition(" #")[0][match.end() :])
    for name, line in lines_of_code()
    if name != "docs/adding-a-source.md"  # another test adds the source and runs its commands
    for pattern, program in PROGRAMS.items()
    if (match := re.search(pattern, line))
}


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_line_of_the_pages_is_valid(line: str) -> None:
    title, arguments = COMMAND_LINES[line]
    command = dict(all_commands())[title]
    with command.make_context(title, shlex.split(arguments)) as context:
        assert context.args == []  # the command knows all arguments


def test_the_pages_have_command_lines_of_every_program() -> None:
    assert {title.split()[0] for title, _ in COMMAND_LINES.values()} == {"recommender", "infra"}
    assert len(COMMAND_LINES) > 20


def test_every_make_target_of_the_pages_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for text in PAGES.values() for name in re.findall(r"(?:`|^)make ([\w-]+)", text, re.MULTILINE)}
    assert {"demo", "test", "docs"} <= named <= targets


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Return a folder with ratings.csv and titles.csv."""
    random = np.random.default_rng(0)
    columns = {"user_id": random.integers(0, 40, 400), "item_id": random.integers(0, 60, 400), "rating": 5,
               "timestamp": np.arange(400)}  # fmt: skip
    pd.DataFrame(columns).to_csv(tmp_path / "ratings.csv", index=False)
    titles = [f"Title {number % 7} of item {number}" for number in range(60)]
    pd.DataFrame({"item_id": range(60), "title": titles}).to_csv(tmp_path / "titles.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("README.md", "RecommendedItem(item_id="),
        ("docs/reference/python.md", "fold_in"),
        ("docs/measuring.md", "Estimate(value="),
    ],
)
def test_the_python_example_runs(page: str, says: str, ratings: Path) -> None:
    (code,) = (body for kind, body in CODE.findall(PAGES[page]) if kind == "python")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ratings, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/quick-start.md"])
def test_the_commands_for_your_own_data_train_serve_and_recommend(page: str, ratings: Path) -> None:
    """Run the commands unchanged in a shell, in a folder with the programs and the environment."""
    (ratings / ".venv").symlink_to(sys.prefix)
    for name in ("train.py", "serve.py", "recommender"):
        (ratings / name).symlink_to(ROOT / name)
    blocks = [line for name, line in lines_of_code() if name == page]
    parts = ("recommender split", "train.py --base-dir", "serve.py", "curl")
    split, train, serve, request = (next(line for line in blocks if part in line) for part in parts)
    environ = {**os.environ, "PYTHONPATH": str(ratings)}
    trained = subprocess.run(
        ["bash", "-c", f"{split.partition(' #')[0]} && {train}"],
        cwd=ratings,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert trained.returncode == 0, trained.stderr
    assert (ratings / "my-job" / "output" / "data" / "report.html").exists()
    port = str(20_000 + os.getpid() % 20_000)
    environ["SAGEMAKER_BIND_TO_PORT"] = port
    server = subprocess.Popen(["bash", "-c", f"exec env {serve}"], cwd=ratings, env=environ, stderr=subprocess.DEVNULL)
    try:
        request = request.replace("8080", port)
        deadline = time.monotonic() + 60
        while True:
            found = subprocess.run(["bash", "-c", f"{request} --silent"], capture_output=True, text=True)
            if found.returncode == 0 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0
    assert len(json.loads(found.stdout)["recommended_items"]) == 5


# The site


class Site(HTMLParser):
    """Links, sources, pictures and names of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.without_text: list[str] = []
        self.names: set[str] = set()
        self.titles = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag refers to."""
        found = dict(attrs)
        self.names.add(found.get("id") or "")
        self.titles += tag == "h1"
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag in ("img", "script", "iframe", "source") and found.get("src"):
            self.loaded.append(str(found["src"]))
        if tag == "link" and found.get("rel") != "canonical":
            self.loaded.append(str(found.get("href")))
        if tag == "img" and not found.get("alt"):
            self.without_text.append(str(found.get("src")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", str(folder / "cache"), str(ROOT / "docs"), str(folder / "html")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.mark.xdist_group("site")
def test_the_site_builds_without_warnings_and_works_from_disk_without_network(site: Path) -> None:
    pages = {path: Site(path) for path in site.rglob("*.html")}
    assert len(pages) > 25
    for path, page in pages.items():
        assert [name for name in page.loaded if urlsplit(name).scheme not in ("", "data")] == [], path
        assert [name for name in page.loaded if not urlsplit(name).scheme and not target(path, name).exists()] == []
        assert page.without_text == [], path
        assert page.titles == 1 or path.stem == "search", path
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if not parts.scheme and not parts.netloc:
                page_of_link = target(path, link) if parts.path else path
                assert page_of_link.exists(), f"{path.name}: {link}"
                assert not parts.fragment or unquote(parts.fragment) in pages[page_of_link].names, (
                    f"{path.name}: {link}"
                )


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_each_page_works_in_a_browser(site: Path, width: int, scheme: Literal["light", "dark"]) -> None:
    """Check for console messages, failed requests, sideways scrolling, and the rules of WCAG A and AA."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *OFFLINE])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: found.append((page.url, message.text)))
        page.on("pageerror", lambda error: found.append((page.url, str(error))))
        page.on("requestfailed", lambda request: found.append((page.url, request.url)))
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri())
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append((page.url, "scrolls sideways"))
            violations = Axe().run(page, options=AXE).response["violations"]
            found += [(page.url, f"{fault['id']}: {fault['nodes'][0]['html'][:200]}") for fault in violations]
        browser.close()
    assert found == []


def target(page: Path, link: str) -> Path:
    return (page.parent / unquote(urlsplit(link).path)).resolve()


@pytest.mark.xdist_group("site")
def test_the_search_index_has_every_page(site: Path) -> None:
    index = json.loads((site / "searchindex.js").read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    names = {name.removesuffix(".md").removeprefix("docs/") for name in PAGES if name != "README.md"}
    assert set(index["docnames"]) == names
