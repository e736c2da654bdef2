"""People whom the settings of a list name: who they are is told, and who is banned stays out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.mail import approval, senders
from postroad.mail.tokens import address_key
from postroad.runtime.broker import Broker
from schemas.commands import ConfigureList, ShowList, Subscribe
from schemas.mass import ImportRow
from tests.broker.membership import LIST, Membership, membership
from tests.broker.requests import ANNA, Post, mail_of, settings

EVE = "eve@evil.example"
NEWS = "news@lists.example.org"


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service with one empty list."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        yield running


async def change(service: Membership, **typed: str) -> None:
    """Set these settings of the list; a sign at the end of a name is spelled out."""
    signed = {
        name.replace("_plus", "+").replace("_minus", "-"): text for name, text in typed.items()
    }
    answer = await service.ask(ConfigureList(list=LIST, settings=signed))
    assert not answer.refused, answer.refused


async def test_whoever_asks_of_an_author_hears_by_which_names_they_go(
    service: Membership, broker: Broker
) -> None:
    """An entry that is their address, or a list that they are on, is told; no address is stored."""
    await service.create(NEWS)
    await service.ask(Subscribe(list=NEWS, address=ANNA))
    await change(service, accept_these_nonmembers=f"@news {EVE}", bans=EVE)
    assert (await service.whois(ANNA)).named == (f"@{NEWS}",)
    (eve, again) = (await service.whois(EVE)).named
    assert eve == again
    assert eve.startswith("#")
    assert (await service.whois("nobody@example.net")).named == ()
    async for stored in broker.scan("LISTS", "lists.>"):
        assert EVE.encode() not in stored.data


@pytest.mark.parametrize("ban", [EVE, "@evil.example", r"^.*@evil\.example$"])
async def test_who_is_banned_does_not_get_onto_the_list(
    service: Membership, broker: Broker, ban: str
) -> None:
    """Not by mail, which gets no answer, nor from the command line, nor by an import."""
    await change(service, bans=ban)
    done, letters = await Post(broker).ask("join", mail_of(author=EVE))
    assert (done.outcome, letters) == ("ignored", [])
    assert "banned" in done.reason
    for confirmed in (True, False):
        refused = await service.ask(Subscribe(list=LIST, address=EVE, confirmed=confirmed))
        assert (refused.code, "is banned" in refused.refused) == ("banned", True)
    rows = (ImportRow(line=2, address=ANNA), ImportRow(line=3, address=EVE))
    imported = await service.import_(rows)
    assert imported.changed == 1
    assert [line for line, _ in imported.bad_rows] == [3]
    assert (await service.whois(EVE)).roles == ()


async def test_who_is_banned_after_the_question_does_not_join_by_the_answer(
    service: Membership, broker: Broker
) -> None:
    """What counts is what holds when the confirmation comes; once the ban is lifted, they may."""
    post = Post(broker)
    _, (question,) = await post.ask("join", mail_of(author=EVE))
    await change(service, bans_plus=EVE)
    done, letters = await post.ask("confirm", mail_of("Yes.", author=EVE), token=question.token)
    assert (done.outcome, letters) == ("ignored", [])
    await change(service, bans_minus=EVE)
    assert not (await service.ask(Subscribe(list=LIST, address=EVE))).refused


async def test_a_list_that_is_named_must_exist(service: Membership) -> None:
    """A list that is mistyped, and would let nobody in, is refused."""
    typed = {"accept_these_nonmembers+": "@nws"}
    answer = await service.ask(ConfigureList(list=LIST, settings=typed))
    assert (answer.code, "there is no list nws@lists.example.org" in answer.refused) == (
        "bad_setting",
        True,
    )


async def test_a_password_is_shown_to_nobody(service: Membership) -> None:
    """Whoever shows a list learns that it has one."""
    await change(service, moderator_password=approval.hashed("correct horse", bytes(16)))
    (row,) = (await service.ask(ShowList(list=LIST))).lists
    assert row.settings.moderator_password == "(set)"


def test_the_key_of_an_address_is_that_of_people() -> None:
    """What stands for an address in settings tells nothing of it without the key of the site."""
    entry = senders.of_key(address_key(b"k" * 32, EVE))
    assert len(entry) == 65
    assert entry != senders.of_key(address_key(b"x" * 32, EVE))
