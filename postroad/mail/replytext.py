"""What the author of a reply wrote, apart from what their mail program quoted. Pure."""

from __future__ import annotations

import re

LINES = 10  # that are looked at: people say yes or no, programs say why they write, at the top
LINE_CHARS = 500  # of a line

_QUOTE = re.compile(r"\s*[>|]")
# Mail programs that do not mark quoted lines draw a line, or repeat the header, above them.
_BELOW = re.compile(
    r"\s*(?:-{3,}|_{5,}|-- ?$"
    r"|\*?(?:from|von|de|da|van|från|fra|od|kimden|от|发件人|差出人)\*?\s?[:：])",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(r".*[:：]")
_LAST_WORDS = re.compile(r"\S+(?: \S+){0,2} ?[:：]|[:：]")  # `wrote:`, `a écrit :`
_DATED = re.compile(r"\d.*[@<]|\d{4}")


def written(text: str) -> tuple[str, ...]:
    """The first ten lines that the author wrote, without empty ones, quotations, the line that
    introduces a quotation, and signatures."""
    kept: list[str] = []
    quoting = False
    for line in text.split("\n"):
        line = line[:LINE_CHARS].strip()  # noqa: PLW2901 - the rest of it is not read
        if _BELOW.match(line):
            break
        if _QUOTE.match(line):
            if not quoting:
                kept = _unintroduced(kept)
            quoting = True
        elif line:
            quoting = False
            kept.append(line)
        if len(kept) > LINES + 2:  # an introduction may have two lines
            break
    return tuple(kept[:LINES])


def _unintroduced(lines: list[str]) -> list[str]:
    """Less `On 9 March 2026 Ann wrote:` at the end, which may be broken before its last words."""
    match lines:
        case [*rest, when, last] if _LAST_WORDS.fullmatch(last) and _DATED.search(when):
            return rest
        case [*rest, last] if _ATTRIBUTION.fullmatch(last):
            return rest
        case _:
            return lines
