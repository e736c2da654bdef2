"""What `postroad mail inspect` finds out about one mail, with the code that the road runs.

evidence   the mail's bytes, and what ingest would tell the road of them
knowledge  which lists there are and who its author is, as far as a Postroad can be asked
judging    what the router would decide at each list, rule by rule, and how copies would differ
page       all of it, for people

Nothing is sent, and nothing is stored.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.cli.frame import Call
    from postroad.cli.inspection.knowledge import Knowledge
    from postroad.cli.inspection.page import Report


async def inspect(call: Call, file: str, list_: str = "", source: str = "") -> Report:
    """Everything about the mail in this file (`-`: standard input), judged at the list of this
    address, or at those it was sent to. Raises UsageError, SettingsError."""
    from postroad.cli.inspection.evidence import octets
    from postroad.cli.inspection.knowledge import knowledge

    data, size = octets(file)
    async with knowledge(call) as known:
        return await judged(known, data, size, list_, source)


async def judged(known: Knowledge, data: bytes, size: int, list_: str, source: str) -> Report:
    """The same of bytes in hand."""
    from postroad.cli.inspection.evidence import LARGEST, evidence
    from postroad.cli.inspection.judging import Judge
    from postroad.cli.inspection.knowledge import DEFAULT_LIST
    from postroad.cli.inspection.page import Report
    from postroad.mail.addresses import Match
    from services.router.hooking import Hooks
    from services.router.lookups.asking import Lookups
    from services.router.recipients import recipients

    way = known.source(source)
    found = evidence(data, size, way)
    notes = known.notes
    if found.cut:
        notes.append(f"only its first {LARGEST >> 20} MB are looked at")
    site = known.config.site if known.config else None
    reach = known.directory.reach((way.domain or way.list.rpartition("@")[2]).lower())
    bound = reach.get(way.list.lower(), "")
    to = recipients(found.mail, reach, mailbox=way.user, bound=bound, one_copy=way.one_copy)
    places = [(each, known.directory[each.slug]) for each in to if each.slug in known.directory]
    addressed = bool(places or list_)
    if list_:
        asked = known.named(list_)
        places = [each for each in places if each[1] == asked] or [(Match(asked.slug), asked)]
    elif not places and not reach:
        asked = known.named(DEFAULT_LIST)
        places = [(Match(asked.slug), asked)]
    elif not places:
        notes.append("it is for none of the lists there are; name one with --list")
    judge = Judge()
    if site:
        lookups = Lookups(known.context) if known.context else None
        judge = Judge(site.header_checks, Hooks(site.hooks), lookups)
    decisions = []
    async with contextlib.aclosing(judge):
        for address, at in places:
            author = await known.author(at, found.mail.facts.from_)
            decisions.append(await judge.decide(found, address, at, author, way.authserv_id))
    return Report(found, way.user, way.one_copy, decisions, addressed, tuple(notes))
