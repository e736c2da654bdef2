"""Who gets no copy of a post because they want none: told to the router, kept in the post."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postroad.runtime.broker import Broker
from schemas import commands
from schemas.commands import Author, ChangeMember
from services.membership import roster
from tests.broker.membership import (
    LIST,
    SLUG,
    done,
    everybody,
    membership,
    post,
    queued,
    route,
    settings,
)

ANNA, BOB, CARA = "anna@example.net", "bob@example.net", "cara@example.net"


@pytest.mark.parametrize("small", [2_000, 1])
async def test_a_post_names_who_is_left_out_and_why(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    """Of an author and of those whom a post names, membership tells the router who wants no copy,
    each with the option that says so, whether the list is kept in memory or not; and the post goes
    to the others, also where an option has changed since."""
    monkeypatch.setattr(roster, "SMALL", small)
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA, BOB, CARA)
        people = {each: (await service.whois(each)).person for each in (ANNA, BOB, CARA)}
        named = commands.WhoIs(list=SLUG, address=ANNA, recipients=(BOB, CARA, "zoe@example.com"))
        plain = msgspec.json.decode(await service.raw(named), type=Author)
        assert plain.without == {}
        await service.ask(ChangeMember(list=LIST, address=ANNA, receive_own_postings=False))
        answer = await service.ask(ChangeMember(list=LIST, address=BOB, receive_list_copy=False))
        assert answer.changed == 1
        author = msgspec.json.decode(await service.raw(named), type=Author)
        assert author.without == {
            people[ANNA]: "receive_own_postings",
            people[BOB]: "receive_list_copy",
        }
        routed = msgspec.structs.replace(post(author.as_of), without=author.without)
        await service.ask(ChangeMember(list=LIST, address=CARA, receive_list_copy=False))
        await route(broker, routed)
        assert (await done(broker, routed.mail_id)).audience == 1
        assert everybody(await queued(broker, routed.mail_id)) == [CARA]
