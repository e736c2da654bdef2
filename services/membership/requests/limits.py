"""How often an address is written to without having asked for it. Pure.

The aggregate of `pending.contact.<key>`: every mail that still counts, with the mail that caused
it, so that a cause met again is not counted again. Whoever forges 10,000 requests in somebody's
name makes them three letters a day, over all lists, whether they ask or answer; a question that
they said yes to is no longer counted. What an address is proved to have caused is counted for
itself, so that nobody is silenced by a forger, and comes to three as well. Of those who are neither
proved nor known to us each list counts all of a domain together, and all. Whoever forges 10,000
names of one domain has ten people answered; of many domains, 200. Who would silence a list for
newcomers needs names at twenty domains a day, and silences it for those alone whom nobody proves.

One confirmation of a list waits at a time. Asking for something else, be it only another address,
ends the one that waits; asking for the same once more does not, unless the one before was answered.

Nobody makes a list write to many strangers: the addresses that one person wants to have are counted
under that person as well, three a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from schemas.envelope import Event
from schemas.pending import Action, Contact, Contacted

DAY = timedelta(hours=24)
LETTERS = 3  # a day for one address, over all lists: questions, help, errors, notices
NEIGHBOURS = 10  # a day for one list: the same, to all of one domain whose names may be forged
STRANGERS = 200  # a day for one list: the same, to all together whose names may be forged
_DOTLESS = ("gmail.com", "googlemail.com")  # one provider, to which dots say nothing

State = tuple[Contact, ...]


class LimitedError(Exception):
    """The address was written to often enough."""


def inbox(address: str) -> str:
    """What the limits of an address (in normal form) are counted under: mail to `anna+1@` and
    `anna+2@` lands in one inbox. Only for counting; whose address it is, is another matter."""
    local, _, domain = address.rpartition("@")
    name = local.partition("+")[0] or local
    if domain in _DOTLESS:
        name, domain = name.replace(".", "") or name, _DOTLESS[0]
    return f"{name}@{domain}"


def fold(events: Iterable[Event]) -> State:
    """What counts, as the last event says."""
    state: State = ()
    for event in events:
        if isinstance(event, Contacted):
            state = event.contacts
    return state


def confirmation(
    state: State,
    *,
    list_: str,
    action: Action,
    about: str = "",
    question: str,
    cause: str,
    now: datetime,
    proved: bool = False,
) -> State:
    """The state once a confirmation of `action`, and what it is `about`, is sent for this list,
    stored under `question`.

    It ends the one that waits for an answer about something else. `proved`: it is certainly the
    address itself that asks, so one that a forger's question ended may be sent again. Raises
    LimitedError.
    """
    if known := _noted(state, "confirmation", cause):
        if known.open or known.answered:
            return state
        raise LimitedError  # another took its place, or the answer was no
    recent = _recent(state, now)
    asked = [each for each in recent if each.kind == "confirmation"]
    wish = (list_, action, about)
    same = [each for each in asked if (each.list, each.action, each.about) == wish]
    again = any(each.open or not (each.answered or proved) for each in same)
    if len(asked) >= LETTERS or again or _full(recent, LETTERS, proved=proved):
        raise LimitedError
    new = Contact(
        kind="confirmation",
        list=list_,
        action=action,
        about=about,
        question=question,
        cause=cause,
        at=now,
        open=True,
        proved=proved,
    )
    ended = (replace(each, open=False) if each.list == list_ else each for each in recent)
    return (*ended, new)


def replaced(state: State, *, list_: str, cause: str) -> tuple[str, ...]:
    """Where the questions of this list are stored that the one because of `cause` put an end
    to."""
    return tuple(
        each.question
        for each in state
        if each.list == list_
        and each.question
        and each.cause != cause
        and not (each.open or each.answered)
    )


def answer(
    state: State, *, cause: str, now: datetime, most: int = LETTERS, proved: bool = False
) -> State:
    """The state once an automatic answer is sent, of `most` letters a day; `proved` as above.
    Raises LimitedError."""
    if _noted(state, "answer", cause):
        return state
    recent = _recent(state, now)
    if _full(recent, most, proved=proved):
        raise LimitedError
    return (*recent, Contact(kind="answer", cause=cause, at=now, proved=proved))


def confirmed(state: State, *, cause: str, yes: bool) -> State:
    """The state once the confirmation sent because of `cause` was answered: it still counts
    among those of the day. After a yes the list may ask the same again, after a no only a day
    later."""
    return tuple(
        replace(each, open=False, answered=yes)
        if each.kind == "confirmation" and each.cause == cause
        else each
        for each in state
    )


def _full(recent: State, most: int, *, proved: bool) -> bool:
    """Whether the day's letters are used up. One that a forger may have caused is counted with all
    others, one that the address itself caused only with its like."""
    return sum(not each.answered and each.proved >= proved for each in recent) >= most


def _noted(state: State, kind: str, cause: str) -> Contact | None:
    return next((each for each in state if (each.kind, each.cause) == (kind, cause)), None)


def _recent(state: State, now: datetime) -> State:
    return tuple(each for each in state if now - each.at < DAY)
