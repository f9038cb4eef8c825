"""Parse HTML pages, and measure them in headless Chromium."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from recommender.prepare.summary import Counts, Dataset, Lines, Summary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OFFLINE = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
FRAME = """<!doctype html><iframe style="border: 0; width: %dpx; height: 900px" srcdoc="%s"></iframe>
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const texts = [...page.querySelectorAll("svg text")].map(text => {
    const svg = text.ownerSVGElement;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return scale * parseFloat(page.defaultView.getComputedStyle(text).fontSize);
  });
  const {scrollWidth, clientWidth} = page.documentElement;
  const found = {scroll: scrollWidth, width: clientWidth, text: Math.min(...texts), texts: texts.length};
  document.body.innerHTML = "<pre>measured " + JSON.stringify(found) + "</pre>";
});
</script>
"""
LONG = "/a/very/long/folder/" * 12 + "reviews.jsonl.gz"
SUMMARY = Summary(
    settings={"min_items": 5, "split": "leave-one-out"},
    lines={"reviews": Lines([LONG], 90, {f"no user_id in {LONG}": 7, "no JSON": 3}), "metadata": Lines([LONG], 9, {})},
    steps=[Counts("read", 90, 9, 9), Counts("of verified purchases", 80, 8, 9), Counts("of users", 70, 7, 9)],
    cold=5,
    datasets=[Dataset("train", 7, 9, 63, 4, 9, 1.0), Dataset("test", 7, 6, 7, 1, 1, 0.16)],
    items_without_title=17,
    items_with_attribute={"store": 90, "price": 12},
    users_by_items=[(1, 9), (5, 4), (9, 3)],
    reviews_by_rating={"train": [(1, 3), (5, 60)], "test": [(4, 7)]},
    items_by_reviews=[(1, 4), (20, 5)],
)


@dataclass
class Page(HTMLParser):
    """The parts of a page.

    Attributes:
        text: the HTML.
        style: the content of its style elements.
        prose: the text of each paragraph, without code.
        loose_tables: the number of tables outside a box that scrolls.
    """

    text: str
    style: str = ""
    prose: list[str] = field(default_factory=list)
    loose_tables: int = 0
    open: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.loose_tables += not any("wide" in name.split() for _, name in self.open)
        if tag == "p":
            self.prose.append("")
        if tag not in {"meta", "br"}:
            self.open.append((tag, dict(attrs).get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Skip an element of an SVG that has no content."""

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if tags[-1:] == ["style"] and "svg" not in tags:
            self.style += data
        if "p" in tags and "code" not in tags:
            self.prose[-1] += data

    @property
    def plots(self) -> list[str]:
        return re.findall("<svg.*?</svg>", self.text, re.DOTALL)


def smallest_text(plot: str) -> float:
    """Return the smallest font size of an SVG as a share of its width."""
    texts = re.findall(r"<text [^>]*>", plot)
    sizes = [float(size) for text in texts for size in re.findall(r"font(?:-size)?:[^;]*?([\d.]+)px", text)]
    assert len(sizes) == len(texts) > 0
    assert not any("scale(" in text for text in texts)
    (width,) = re.findall(r'viewBox="0 0 ([\d.]+) [\d.]+"', plot)
    return min(sizes) / float(width)


def pixels(rule: str, selector: str, style: str) -> float:
    """Return the value of a property of a CSS rule, in CSS pixels."""
    found = re.search(rf"^{re.escape(selector)} {{[^}}]*\b{rule}: ([\d.]+)px", style, re.MULTILINE)
    assert found, (rule, selector)
    return float(found[1])


def measure(page: str, width: int, folder: Path) -> dict[str, float]:
    """Measure a page in headless Chromium; a frame allows widths below the minimum of a window."""
    assert CHROMIUM
    file = folder / "frame.html"
    file.write_text(FRAME % (width, escape(page)), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *OFFLINE]
    command += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search("measured ({.*})", result.stdout)
    assert found, result.stderr
    return dict(json.loads(found[1]))
