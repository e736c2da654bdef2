"""What is known of one mail and one person, gathered: whose the address is says membership, what
came of the mail the analytics, what waits the queue as it is now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from postroad.cli.ask import ask as ask_membership
from postroad.cli.evidence import (
    Bounce,
    Change,
    Decision,
    Evidence,
    Mail,
    Period,
    Posted,
    Queued,
    Try,
)
from postroad.cli.mails import NAMED, list_addresses, mail_id, one_of
from postroad.cli.projected import Rows, projected
from postroad.cli.readers import NOBODY, reader
from postroad.cli.road import road
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError
from postroad.runtime.projector import Ask
from schemas.histories import Whose
from schemas.road import ChunkQueued
from schemas.whose import WhereReached, WhoseAddress
from services.membership import actors

STREAMS = {
    "RECEIVED": "mail.received.>",
    "ROUTED": "mail.routed.>",
    "SEND": "mail.send.>",
    "DELIVERY": "delivery.>",
    "MEMBERSHIP": "membership.>",
}
OWNERS = "-2"  # behind the id of a mail to members: the same, to owners of the list
AT_ONCE = 5_000  # people whose addresses are asked for at once
SETTLED = ("accepted", "failed", "departed")
_WHOLE = re.compile(r"[0-9a-f]{32}(-\d)?")  # -2: mail to owners of what went to members, too
_DIGITS = re.compile(r"[0-9a-f]{6,31}")
R = TypeVar("R", bound=msgspec.Struct)


async def gather(config: Config, post: str, address: str) -> Evidence:
    """All that is known of this post and this person. Raises UsageError where one of them is
    neither, PostroadError where nothing is known of such a mail."""
    async with road(config) as broker:
        answer = await ask_membership(broker, "whose", WhoseAddress(address=address))
        whose = answer.whose or Whose(person="")
        async with projected(config, broker) as ask:
            mail = await find_mail(broker, ask, post, await folded(broker))
            known = Evidence(post=mail, address=address, lists=await list_addresses(broker))
            known = await _with_letter(broker, ask, await _with_rows(ask, known, whose))
            if known.decisions and await ask("explain_decisions", mail=f"{mail}{OWNERS}"):
                owners = await _with_rows(ask, replace(known, post=f"{mail}{OWNERS}"), whose)
                known = replace(known, owners=await _with_queue(broker, config, owners))
        if not (known.mail or known.decisions or known.tries):
            raise PostroadError(
                f"nothing is known of the mail {mail}: it was never here, or before all that is "
                "kept ([analytics] keep); `postroad post ls` shows the newest"
            )
        known = await _with_lists_behind(broker, known)
        return await _with_queue(broker, config, known)


async def _with_rows(ask: Ask, known: Evidence, whose: Whose) -> Evidence:
    """The same with what the analytics have of it."""
    known = replace(known, erased=whose.erased, **await _of_mail(ask, known.post))
    if not whose.person or whose.erased:
        return known
    since = datetime.fromisoformat(whose.since) if whose.since else None
    until = datetime.fromisoformat(whose.until) if whose.until else None
    known = replace(known, person=whose.person, current=whose.address, since=since, until=until)
    return replace(known, **await _of_person(ask, known.post, whose.person))


async def _with_letter(broker: Broker, ask: Ask, known: Evidence) -> Evidence:
    """The same with what became of a letter to them that names nobody."""
    nameless = any(one.kind == "letter" and not one.author for one in known.decisions)
    if known.erased or not nameless or not (to := await reader(broker, known.post)):
        return known
    whose = (await ask_membership(broker, "whose", WhoseAddress(address=to))).whose
    theirs = to.lower() == known.address.lower() or (
        whose is not None and whose.person == known.person
    )
    known = replace(known, theirs=theirs)
    return replace(known, **await _of_copy(ask, known.post, NOBODY)) if theirs else known


async def _with_lists_behind(broker: Broker, known: Evidence) -> Evidence:
    """The same with the lists of ours that the post was passed on to."""
    if not known.person or known.tries or not known.posts:
        return known
    ours, found = {*known.lists.values()}, list[tuple[str, str]]()
    async for stored in broker.scan("SEND", f"mail.send.*.*.{known.post}.x"):
        for chunk in stored.events():
            if isinstance(chunk, ChunkQueued):
                found += [(chunk.list, each) for each in chunk.addresses if each.lower() in ours]
    return replace(known, passed=tuple(dict.fromkeys(found)))


async def _with_queue(broker: Broker, config: Config, known: Evidence) -> Evidence:
    """The same with what their copy waits for, and who is who."""
    if (known.person or known.theirs) and not _settled(known):
        from postroad.cli.waiting import waits_of

        whom = NOBODY if known.theirs else known.person
        waits = await waits_of(broker, config, known.post, whom)
        known = replace(known, waits=waits)
    return replace(known, people=await reached(broker, _actors(known)))


async def find_mail(broker: Broker, ask: Ask, text: str, after: Mapping[str, int]) -> str:
    """The id of the mail that `text` means, by all that is kept of it. Of several with one
    Message-ID it is the one that was posted. Raises as `postroad.cli.mails.mail_id` does."""
    text = text.strip()
    whole, digits = _WHOLE.fullmatch(text.lower()), _DIGITS.fullmatch(text.lower())
    if not (whole or digits or "@" in text):
        return await mail_id(broker, text)  # says what is wrong with it
    wanted = text.strip("<>") if "@" in text else text.lower()
    rows = await ask("find_mails", text=wanted, after=after)
    if whole:
        return wanted
    posted = [row["mail"] for row in rows if row["posted"]]
    found = posted if len(posted) == 1 and not digits else [row["mail"] for row in rows]
    if len(found) > 1:
        return await one_of(broker, text, found[:NAMED], more=len(found) > NAMED)
    return found[0] if found else await mail_id(broker, text)


async def folded(broker: Broker) -> dict[str, int]:
    """How far the streams are now that the analytics are made from."""
    found = {}
    for stream, subject in STREAMS.items():
        if (last := await broker.last(stream, subject)) is not None:
            found[stream] = last.seq
    return found


async def _of_mail(ask: Ask, mail: str) -> dict[str, Any]:
    mails = _rows(Mail, await ask("mail", mail=mail))
    return {
        "mail": mails[0] if mails else None,
        "decisions": _rows(Decision, await ask("explain_decisions", mail=mail)),
        "posts": _rows(Posted, await ask("explain_posts", mail=mail)),
    }


async def _of_person(ask: Ask, mail: str, person: str) -> dict[str, Any]:
    withheld = await ask("explain_withheld", mail=mail, person=person)
    bounces = await ask("bounces_of_person", person=person, list=None, mail=mail)
    return {
        "periods": _rows(Period, await ask("explain_periods", person=person)),
        "changes": _rows(Change, await ask("explain_changes", person=person)),
        "bounces": _rows(Bounce, bounces),
        "without": {row["list"]: row["option"] for row in withheld},
        **await _of_copy(ask, mail, person),
    }


async def _of_copy(ask: Ask, mail: str, person: str) -> dict[str, Any]:
    about: dict[str, Any] = {"mail": mail, "person": person}
    return {
        "tries": _rows(Try, await ask("person_with_post", **about)),
        "queued": _rows(Queued, await ask("explain_queued", **about)),
    }


def _settled(known: Evidence) -> bool:
    """Whether no copy of theirs can still be waiting."""
    lists = {one.list for one in known.posts}
    lists |= {one.list for one in known.decisions if one.kind == "letter"}
    last = {one.list: one.outcome for one in known.tries}
    return all(last.get(slug) in SETTLED for slug in lists)


async def reached(broker: Broker, people: Iterable[str]) -> dict[str, str]:
    """The addresses of these, such as who decided or wrote something, where they are known."""
    whom = sorted({*people} - {""})
    where = dict[str, str]()
    for start in range(0, len(whom), AT_ONCE):
        some = WhereReached(people=tuple(whom[start : start + AT_ONCE]))
        where |= (await ask_membership(broker, "reached", some)).where
    return where


def _actors(known: Evidence) -> list[str]:
    """Who decided something, for the words."""
    said = [one.actor for one in known.decisions] + [one.actor for one in known.changes]
    return [actors.person_of(actor) for actor in said]


def _rows(kind: type[R], rows: Rows) -> tuple[R, ...]:
    """Rows as data; null is the default of its column."""
    found = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return tuple(msgspec.convert(found, type=list[kind]))  # type: ignore[valid-type]
