"""The sentences of Markdown pages."""

import re

GENERATED = re.compile(r"<!-- begin generated.*?end generated -->", re.DOTALL)
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
END = re.compile(r"(?<=[.!?])[)*\"]*\s+")


def sentences(text: str) -> list[list[str]]:
    """Return the sentences of a page as lists of words; leave out code, tables, headings and generated parts."""
    for pattern in (GENERATED, FENCE, COMMENT):
        text = pattern.sub("\n\n", text)
    text = LINK.sub(lambda match: match[1] or "link", text)
    text = re.sub(r"`[^`]*`", "code", text)
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip() or line.startswith(("|", "#", ":", "    ")):
            paragraphs.append([])
            continue
        if ITEM.match(line):
            paragraphs.append([])
        paragraphs[-1].append(ITEM.sub("", line))
    found = [sentence.split() for lines in paragraphs for sentence in END.split(" ".join(lines))]
    return [[word for word in words if re.search(r"\w", word)] for words in found if words]
