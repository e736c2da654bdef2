"""Held mail in the letter that tells of it: what a moderator needs to decide. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.commands import HeldRow

MAILS = 10  # told one by one, each with its token
_HITS = 4
_SUBJECT = 100
QUOTE = "| "  # marks what others wrote, for readers, and for programs that look for quotations


def chosen(waiting: Sequence[int], after: int) -> list[int]:
    """Which of these sequences are told one by one: those behind `after`, which nobody was told of,
    before others, the oldest first."""
    new = [seq for seq in waiting if seq > after]
    old = [seq for seq in waiting if seq <= after]
    return sorted([*new[:MAILS], *old[: max(0, MAILS - len(new))]])


def lines(rows: Sequence[HeldRow], ways: Sequence[str], list_: str, others: int) -> Iterator[str]:
    """The mails held on `list_`, and how many `others` are; `ways` say where to write about each,
    empty where a plain Reply will do."""
    for row, way in zip(rows, ways, strict=True):
        if row is not rows[0]:
            yield "-" * 20
        yield f"Subject: {row.subject[:_SUBJECT] or '(none)'}"
        yield f"From: {f'{row.name[:60]} <{row.author}>' if row.name else row.author or '(nobody)'}"
        yield f"Held: {row.since[:16].replace('T', ' ')} UTC, {row.size:,} octets"
        for hit in row.hits[:_HITS]:
            yield f"Because: {hit.reason} ({hit.rule})"
        yield from (f"{QUOTE}{line}" for line in (row.text or "(no plain text)").split("\n"))
        if row.untold:
            yield f"Nobody is told of a verdict: {row.untold}"
        if way:
            yield f"To decide, write to {way}"
    if others:
        yield "-" * 20
        yield f"and {others:,} more: postroad held ls --list {list_}"
