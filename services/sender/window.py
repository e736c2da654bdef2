"""A window before it is sent: whom of its recipients the relay is offered (pure)."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from schemas.road import Failure

OWN = 4  # a message to one domain is for one in so many of those whom a message may have
Withhold = Callable[[int], Failure | None]
"""Why the recipient with this index in the chunk gets no copy now; None where nothing is in the
way. Asked before each window: `left` for who is no longer on the list, `deferred` and scope
`destination` for whose domain has to wait."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The recipients [start, end) of a chunk: `offered` to the relay, by index, or `withheld`."""

    start: int
    end: int
    offered: Sequence[int]
    withheld: Sequence[Failure] = ()


def left(index: int) -> Failure:
    """The outcome of who is no longer on the list."""
    return Failure(index=index, code=0, text="left the list", kind="left")


def hung(index: int) -> Failure:
    """The outcome of one at whom the relay hangs up, so that others must not come behind."""
    text = "the relay hangs up at this copy"
    return Failure(index=index, code=0, text=text, kind="deferred", scope="relay")


def together(domains: Sequence[str], start: int, room: int, most: int) -> int:
    """Before which index the recipients of one message from `start` on should end, where it has
    room for so many, and may have `most`: those of a domain who fill a quarter of that have
    messages of their own, so that nobody waits for that domain's answer but themselves."""
    end = start
    while end < len(domains) and end - start < room:
        more = end + 1
        while more < len(domains) and domains[more] == domains[end] and more - end < room:
            more += 1
        own = OWN * (more - end) >= most
        if own and end > start:
            break
        end = more
        if own:
            break
    return min(end, start + room)


def plan(start: int, size: int, width: int, withhold: Withhold, sent: Container[int] = ()) -> Plan:
    """The window from `start` on, in a chunk of `size`: at most `width` are offered, and who is
    withheld, or has been `sent` a copy, behind the last of them is part of it."""
    offered: list[int] = []
    withheld: list[Failure] = []
    for index in range(start, size):
        if index in sent:
            continue
        failure = withhold(index)
        if failure is not None:
            withheld.append(failure)
        elif len(offered) < width:
            offered.append(index)
        else:
            return Plan(start, index, offered, withheld)
    return Plan(start, size, offered, withheld)
