"""What owners are told of copies that finally failed: who, why, and of which mails. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

REASONS = 8  # told of; the commonest first
PEOPLE = 20  # named for each
MAILS = 20  # named; the newest first
_SAID = 100  # characters of what a server wrote
_SUBJECT = 60
_ID = 16  # digits of a mail id: enough for every command


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One copy that finally failed: of which mail, for whom, why in plain words, and what the
    server said."""

    mail_id: str
    subject: str
    person: str
    why: str
    said: str


def chosen(failed: Sequence[Undelivered]) -> list[tuple[str, str, list[str]]]:
    """Each reason with what a server said and whom it is about, the commonest first. One person
    who failed for two reasons stands under both."""
    groups: dict[str, dict[str, None]] = {}
    said: dict[str, str] = {}
    for each in failed:
        groups.setdefault(each.why, {})[each.person] = None
        said.setdefault(each.why, each.said)
    ordered = sorted(groups, key=lambda why: -len(groups[why]))
    return [(why, said[why], list(groups[why])) for why in ordered]


def fields(failed: Sequence[Undelivered], addresses: Mapping[str, str]) -> Mapping[str, str]:
    """The fields of the letter; `addresses` of those who are named (`named`)."""
    return {
        "people": str(len({each.person for each in failed})),
        "failures": "\n".join(_failures(chosen(failed), addresses)),
        "mails": "\n".join(_mails(failed)),
    }


def named(failed: Sequence[Undelivered]) -> list[str]:
    """Whose address the letter tells."""
    groups = chosen(failed)[:REASONS]
    return list(dict.fromkeys(person for *_, people in groups for person in people[:PEOPLE]))


def _failures(
    groups: Sequence[tuple[str, str, list[str]]], addresses: Mapping[str, str]
) -> Iterator[str]:
    for why, said, people in groups[:REASONS]:
        quoted = f' ("{said[:_SAID]}")' if said else ""
        yield f"{why}{quoted}:"
        yield from (f"- {addresses.get(who, '(unknown)')}" for who in people[:PEOPLE])
        if len(people) > PEOPLE:
            yield f"- and {len(people) - PEOPLE:,} more"
    if others := groups[REASONS:]:
        yield f"and {sum(len(people) for *_, people in others):,} more, for other reasons"


def _mails(failed: Iterable[Undelivered]) -> Iterator[str]:
    counts: dict[tuple[str, str], int] = {}
    for each in failed:
        key = each.mail_id, each.subject
        counts[key] = counts.get(key, 0) + 1
    newest = sorted(counts, reverse=True)
    for mail_id, subject in newest[:MAILS]:
        missing = _count(counts[mail_id, subject], "copy", "copies")
        about = f"{subject[:_SUBJECT]}, " if subject else ""
        yield f"{mail_id[:_ID]}: {about}{missing}"
    if len(newest) > MAILS:
        yield f"and {len(newest) - MAILS:,} more mails"


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"
