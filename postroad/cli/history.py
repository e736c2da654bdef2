"""What happened, as a table: of a member, and of a list's settings."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from postroad.cli.ask import ask
from postroad.cli.frame import Call
from postroad.cli.output import print_table, whole
from postroad.cli.road import road
from schemas.commands import MemberHistory, PersonConsent
from schemas.histories import HistoryRow, ListConsent

KEY = 13  # characters of the key of an address: # and 48 bits
LONGEST = 300  # characters of a value; JSON has all


def show(rows: Sequence[HistoryRow]) -> None:
    """Print a history, the oldest first."""
    print_table(
        ("UTC", "what", "by, why"),
        ((row.time[:19].replace("T", " "), _what(row), _why(row)) for row in rows),
        whole=1,
    )


async def show_member(call: Call, list_: str, address: str) -> None:
    """Print what happened to somebody on a list."""
    request = MemberHistory(list=list_, address=address)
    rows: list[HistoryRow] = []
    async with road(call.config) as broker:
        while (more := await ask(broker, "member_history", request)).history:
            rows += more.history
            request = replace(request, after=len(rows))
    who = "erased" if more.erased else address
    report = {"address": who, "erased": more.erased, "events": whole(rows)}
    call.show(report, lambda: show(rows))


async def show_consent(call: Call, address: str) -> None:
    """Print how somebody came to be known, and onto each list."""
    request = PersonConsent(address=address)
    lists: list[ListConsent] = []
    async with road(call.config) as broker:
        while (person := (await ask(broker, "consent", request)).person) and person.lists:
            lists += person.lists
            request = replace(request, after=len(lists))
    assert person is not None
    report = {
        **whole([person])[0],
        "events": whole(person.events),
        "lists": [{**one, "events": whole(one["events"])} for one in whole(lists)],
    }
    call.show(report, lambda: _consent(person.events, lists))


def _consent(known: Sequence[HistoryRow], lists: Sequence[ListConsent]) -> None:
    about = [("", row) for row in known]
    about += [(one.list, row) for one in lists for row in one.events]
    print_table(
        ("UTC", "list", "what", "by, why"),
        ((row.time[:19].replace("T", " "), list_, _what(row), _why(row)) for list_, row in about),
        whole=1,
    )


def _what(row: HistoryRow) -> str:
    told = [_change(*change) for change in row.changes]
    told += [f"{name}: {_plain(value)}" for name, value in row.facts.items()]
    return "\n".join(told if told and row.what == "changed" else [row.what, *told])


def _why(row: HistoryRow) -> str:
    how = row.how if row.how not in row.by else ""
    return "\n".join(filter(None, (", ".join(filter(None, (row.by, how))), row.reason)))


def _change(name: str, old: object, new: object) -> str:
    """One setting or option, old and new; of several values those that came and went."""
    if not isinstance(old, list) or not isinstance(new, list):
        return f"{name}: {_plain(old)} → {_plain(new)}"
    came = [f"+{_plain(value)}" for value in new if value not in old]
    went = [f"-{_plain(value)}" for value in old if value not in new]
    return f"{name}: {' '.join(came + went) or 'another order'}"


def _plain(value: object) -> str:
    match value:
        case None:
            return "(default)"
        case "" | []:
            return "(none)"
        case bool():
            return str(value).lower()  # as it is typed
        case list():
            return ", ".join(map(_plain, value))
        case str() if value.startswith("#"):
            return value[:KEY]
        case _:
            text = str(value).replace("\n", r"\n")
            return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
