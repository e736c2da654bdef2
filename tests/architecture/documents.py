"""The documents as data: their files, tables, code and links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)

Row = Sequence[str]


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """How a failure names it."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """Without what is fenced."""
        return _FENCE.sub("", self.text)

    def fences(self, language: str) -> list[str]:
        """Every block fenced as this language."""
        return [block for found, block in _FENCE.findall(self.text) if found == language]

    def spans(self) -> list[str]:
        """Everything between single backquotes."""
        return _SPAN.findall(self.prose)

    def links(self) -> list[str]:
        """Where every link leads."""
        return _LINK.findall(self.prose)

    def anchors(self) -> set[str]:
        """What a link into it may name: headings, as hosts of repositories make anchors of them."""
        titles = (title for _, title in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def section(self, title: str) -> str:
        """What stands below a heading, up to the next of its level or above."""
        for match in _HEADING.finditer(self.prose):
            if match[2] == title:
                rest = self.prose[match.end() :]
                end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
                return rest[: end.start()] if end else rest
        raise AssertionError(f"{self.name} has no section {title!r}")

    def table(self, title: str) -> list[Row]:
        """The rows of all tables below a heading, without their own headings."""
        return list(rows(self.section(title)))


def rows(text: str) -> Iterator[Row]:
    """The rows of every table in a text, cells stripped."""
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def code(cell: str) -> list[str]:
    """What stands between backquotes in a cell."""
    return _SPAN.findall(cell)


def documents() -> list[Document]:
    """Every document of the repository."""
    return [Document(path) for path in (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))]


DOCS = ROOT / "docs"
README = Document(ROOT / "README.md")
ARCHITECTURE = Document(ROOT / "ARCHITECTURE.md")
OPERATORS = DOCS / "operators"
INDEX = Document(OPERATORS / "README.md")
SETTINGS = Document(OPERATORS / "settings.md")
OWNERS = Document(DOCS / "owners.md")
ANALYSTS = Document(DOCS / "analytics.md")
SRES = Document(DOCS / "sres.md")
