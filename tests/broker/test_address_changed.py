"""Somebody is reached at another address: asked of the real service on a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker
from schemas.addresses import AddressVerb, ChangeAddress
from schemas.commands import (
    Answer,
    ConfigureList,
    MemberHistory,
    PastPage,
    PersonConsent,
    RosterPage,
    Subscribe,
    Unsubscribe,
)
from schemas.membership import MemberMoved
from tests.broker.membership import (
    LIST,
    SLUG,
    Membership,
    done,
    everybody,
    membership,
    post,
    queued,
    route,
)
from tests.broker.requests import ANNA, PROVED, Post, mail_of, settings
from tests.peers.traces import in_files

NEW = "anna.new@example.com"
CREW = "crew@lists.example.org"


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service with one list, and Anna on it."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        await running.add(ANNA, display_name="Anna")
        yield running


async def members(service: Membership) -> list[str]:
    """Who is on the list."""
    return [row.address for row in (await service.ask(RosterPage(list=LIST))).rows]


async def move(service: Membership, old: str, new: str, *, confirmed: bool = True) -> Answer:
    """As `postroad member move` asks for it."""
    return await change(service, "move", old, new, confirmed=confirmed)


async def change(
    service: Membership, verb: AddressVerb, own: str, address: str, *, confirmed: bool = True
) -> Answer:
    """As the command line asks for it."""
    request = ChangeAddress(verb=verb, own=own, address=address, confirmed=confirmed)
    return await service.ask(request)


async def moves(broker: Broker, person: str, slug: str = SLUG) -> int:
    """How often a list was told of a new address of this person."""
    said = [m async for m in broker.scan("MEMBERSHIP", f"membership.{slug}.{person}")]
    return sum(isinstance(event, MemberMoved) for one in said for event in one.envelope().events)


async def test_a_member_moves_by_mail(service: Membership) -> None:
    """A proved author names a new address: it is asked, the old one is told, nothing changes until
    the new one says yes; then copies go there, the person is who they were, and PEOPLE has nothing
    of the old one."""
    letters = Post(service.broker)
    before = await service.whois(ANNA)
    wish = mail_of(f"set address {NEW}\n", **PROVED)
    came, written = await letters.ask("request", wish)
    asked = next(letter for letter in written if letter.to == NEW)
    told = next(letter for letter in written if letter.to == ANNA)
    assert (came.outcome, len(written)) == ("confirmation_sent", 2)
    assert ANNA in asked.text
    assert NEW in told.text
    assert not told.token
    assert await members(service) == [ANNA]
    came, (welcome,) = await letters.ask("confirm", mail_of("yes", author=NEW), token=asked.token)
    assert (came.outcome, came.person, welcome.to) == ("moved", before.person, NEW)
    assert await members(service) == [NEW]
    assert (await service.whois(NEW)).person == before.person
    assert not (await service.whois(ANNA)).person
    routed = post(await service.as_of())
    await route(service.broker, routed)
    await done(service.broker, routed.mail_id)
    assert everybody(await queued(service.broker, routed.mail_id)) == [NEW]
    (row,) = (await service.ask(PastPage(list=LIST, as_of=1))).past
    assert row.row.address == NEW
    rows = (await service.ask(MemberHistory(list=LIST, address=ANNA))).history
    assert [one.what for one in rows] == ["joined", "changed their address"]
    assert rows[-1].by == "themselves"
    assert not [name async for name in people_with(service.broker, b"anna@example.net")]


async def people_with(broker: Broker, words: bytes) -> AsyncIterator[str]:
    """Messages of PEOPLE that hold these bytes."""
    async for stored in broker.scan("PEOPLE", "people.>"):
        if words in stored.data:
            yield stored.subject


async def test_a_from_that_may_be_forged_moves_nobody(service: Membership) -> None:
    """Whose From is not proved is asked first; only then the new address is."""
    letters = Post(service.broker)
    came, (first,) = await letters.ask("request", mail_of(f"set address {NEW}\n"))
    assert (came.outcome, first.to, NEW in first.text) == ("confirmation_sent", ANNA, True)
    _, written = await letters.ask("confirm", mail_of("yes"), token=first.token)
    (asked,) = [letter for letter in written if letter.to == NEW]
    assert await members(service) == [ANNA]
    came, _ = await letters.ask("confirm", mail_of("no", author=NEW), token=asked.token)
    assert (came.outcome, await members(service)) == ("refused", [ANNA])


async def test_a_later_wish_takes_the_place_of_a_forged_one(service: Membership) -> None:
    """Each question names its address, and only the last one does something."""
    letters = Post(service.broker)
    _, (forged,) = await letters.ask("request", mail_of("set address attacker@evil.example\n"))
    _, (own,) = await letters.ask("request", mail_of(f"set address {NEW}\n"))
    assert "attacker@evil.example" in forged.text
    assert "attacker@evil.example" not in str(forged.mail["Subject"])
    assert (own.to, NEW in own.text) == (ANNA, True)
    came, (ended,) = await letters.ask("confirm", mail_of("yes"), token=forged.token)
    assert (came.outcome, ended.mail["Subject"]) == ("refused", "That question has ended")
    _, written = await letters.ask("confirm", mail_of("yes"), token=own.token)
    assert sorted(letter.to for letter in written) == [NEW, ANNA]


async def test_a_later_address_takes_the_place_of_one_that_was_asked(service: Membership) -> None:
    """Who first named a wrong address is moved to the right one alone."""
    letters = Post(service.broker)
    _, (wrong, _) = await letters.ask("request", mail_of("set address typo@b.example", **PROVED))
    _, (right, _) = await letters.ask("request", mail_of(f"set address {NEW}", **PROVED))
    yes = mail_of("yes", author="typo@b.example")
    came, _ = await letters.ask("confirm", yes, token=wrong.token)
    assert (came.outcome, await members(service)) == ("refused", [ANNA])
    came, _ = await letters.ask("confirm", mail_of("yes", author=NEW), token=right.token)
    assert (came.outcome, await members(service)) == ("moved", [NEW])


async def test_nobody_has_a_list_write_to_many_strangers(service: Membership) -> None:
    """Three addresses of one person are asked in a day, and they are told of three."""
    letters = Post(service.broker)
    outcomes = []
    for number in range(5):
        wish = mail_of(f"add address victim@v{number}.example\n", **PROVED)
        came, _ = await letters.ask("request", wish)
        outcomes.append(came.outcome)
    written = [letter.to for letter in await letters.letters()]
    assert outcomes == ["confirmation_sent"] * 3 + ["limited"] * 2
    assert sorted(written) == [ANNA] * 3 + [f"victim@v{number}.example" for number in range(3)]


async def test_what_cannot_be_is_said_at_once(service: Membership) -> None:
    """A banned address is not written to; whoever names the address they have is told so."""
    letters = Post(service.broker)
    await service.ask(ConfigureList(list=LIST, settings={"bans": "@evil.example"}))
    wish = mail_of("set address anna@evil.example\n", **PROVED)
    came, (letter,) = await letters.ask("request", wish)
    assert (came.outcome, letter.to) == ("refused", ANNA)
    came, (letter,) = await letters.ask("request", mail_of(f"set address {ANNA}\n", **PROVED))
    assert (came.outcome, letter.to) == ("answered", ANNA)
    assert letter.mail["Subject"] == "You have that address already"


async def test_an_address_is_kept_as_it_was_written(service: Membership) -> None:
    """Upper and lower case before the @ are its own server's matter."""
    letters = Post(service.broker)
    wish = mail_of("Set Address Anna.New@Example.COM\n", **PROVED)
    _, (asked, _) = await letters.ask("request", wish)
    assert asked.to == "Anna.New@example.com"
    await letters.ask("confirm", mail_of("yes", author=NEW), token=asked.token)
    assert await members(service) == ["Anna.New@example.com"]


async def test_only_members_are_moved(service: Membership) -> None:
    """Somebody who is not on the list has nobody asked; nor is a list's address a new one."""
    letters = Post(service.broker)
    wish = mail_of(f"set address {NEW}\n", author="zoe@example.net", **PROVED)
    came, (letter,) = await letters.ask("request", wish)
    assert (came.outcome, letter.to) == ("refused", "zoe@example.net")
    came, (letter,) = await letters.ask("request", mail_of(f"set address {LIST}\n", **PROVED))
    assert (came.outcome, letter.to) == ("refused", ANNA)
    assert "refused" in repr(await move(service, ANNA, LIST))


async def test_the_new_address_is_on_a_list_already(service: Membership) -> None:
    """It is not told to whoever asks, but to whoever answers there; the command line says which
    list it is."""
    letters = Post(service.broker)
    await service.add(NEW)
    _, written = await letters.ask("request", mail_of(f"set address {NEW}\n", **PROVED))
    (asked,) = [letter for letter in written if letter.to == NEW]
    came, (letter,) = await letters.ask("confirm", mail_of("yes", author=NEW), token=asked.token)
    assert (came.outcome, letter.to) == ("refused", NEW)
    assert "on a list here already" in " ".join(letter.text.split())
    answer = await move(service, ANNA, NEW)
    assert answer.code == "taken"
    assert LIST in answer.refused
    assert await members(service) == [NEW, ANNA]


async def test_an_operator_moves_somebody_at_once(service: Membership) -> None:
    """On all lists, in every role; the same again changes nothing, also when they have joined
    another list since."""
    await service.create(CREW)
    person = (await service.whois(ANNA)).person
    assert (await move(service, ANNA, NEW)).changed == 1
    assert await members(service) == [NEW]
    await service.ask(Subscribe(list=CREW, address=NEW))
    assert (await move(service, ANNA, NEW)).changed == 0
    assert await moves(service.broker, person) == 1
    assert await moves(service.broker, person, "crew-lists-example-org") == 0
    assert (await move(service, NEW, ANNA)).changed == 1
    assert await members(service) == [ANNA]
    assert (await move(service, ANNA, NEW)).changed == 1
    assert await moves(service.broker, person) == 3
    stranger = await move(service, "zoe@example.net", NEW)
    assert (stranger.code, "zoe@example.net" in stranger.refused) == ("unknown_member", True)


async def test_an_operator_has_somebody_asked(service: Membership) -> None:
    """Without --confirmed both addresses are written to, and nothing changes; who was not asked
    for by the member themselves is not told who that is."""
    answer = await move(service, ANNA, NEW, confirmed=False)
    written = await Post(service.broker).letters()
    (asked,) = [letter for letter in written if letter.to == NEW]
    assert ANNA not in asked.text
    assert "a...@example.net" in asked.text
    assert (answer.changed, sorted(letter.to for letter in written)) == (1, [NEW, ANNA])
    assert await members(service) == [ANNA]
    assert (await move(service, ANNA, NEW, confirmed=False)).code == "limited"


@pytest.mark.own_broker
async def test_who_left_gives_their_address_away(
    service: Membership, server: EmbeddedBroker
) -> None:
    """An address of somebody who is on no list any more can be another's; who was there at an
    earlier moment is still known, without an address."""
    await service.add("old.unmistakable@example.com")
    await service.ask(Unsubscribe(list=LIST, address="old.unmistakable@example.com"))
    assert (await move(service, ANNA, "old.unmistakable@example.com")).changed == 1
    as_of = (await service.as_of()).membership
    rows = (await service.ask(PastPage(list=LIST, as_of=as_of - 2))).past
    assert sorted(row.row.address for row in rows) == ["", "old.unmistakable@example.com"]
    assert in_files(server.home / "jetstream", "anna@example.net") == []


async def test_one_more_address_counts_as_theirs(service: Membership) -> None:
    """Added by mail and confirmed there, it is a member's at -request and before the rules; copies
    go where they went, and the list shows them once. Preferred, copies go there; the other can be
    taken away, and is nobody's then."""
    letters = Post(service.broker)
    _, written = await letters.ask("request", mail_of(f"add address {NEW}\n", **PROVED))
    (asked,) = [letter for letter in written if letter.to == NEW]
    assert not (await service.whois(NEW)).person
    came, _ = await letters.ask("confirm", mail_of("yes", author=NEW), token=asked.token)
    assert came.outcome == "moved"
    known = await service.whois(NEW)
    assert (known.person, known.roles) == ((await service.whois(ANNA)).person, ("member",))
    (row,) = (await service.ask(RosterPage(list=LIST))).rows
    assert (row.address, row.also) == (ANNA, (NEW,))
    proved = {"Authentication-Results": "mx.example.org; dkim=pass header.d=example.com"}
    wish = mail_of(f"set address {NEW}\n", author=NEW, **proved)
    came, told = await letters.ask("request", wish)
    assert (came.outcome, await members(service)) == ("moved", [NEW])
    assert [letter.to for letter in told] == [NEW, ANNA]
    assert await moves(service.broker, known.person) == 1
    wish = mail_of(f"remove address {ANNA}\n", author=NEW, **proved)
    came, _ = await letters.ask("request", wish)
    assert (came.outcome, (await service.whois(ANNA)).person) == ("moved", "")


async def test_an_operator_gives_and_takes_addresses(service: Membership) -> None:
    """Each command once; the same again changes nothing, and a stranger's address is refused."""
    wishes: list[tuple[AddressVerb, str, str]] = [
        ("add", ANNA, NEW),
        ("prefer", ANNA, NEW),
        ("drop", NEW, ANNA),
    ]
    for wish in wishes:
        assert (await change(service, *wish)).changed == 1
        assert (await change(service, *wish)).changed == 0
    assert await members(service) == [NEW]
    assert (await change(service, "prefer", NEW, "zoe@example.net")).code == "bad_request"
    assert "zoe@example.net" in (await change(service, "drop", NEW, "zoe@example.net")).refused
    person = (await service.ask(PersonConsent(address=NEW))).person
    assert person is not None
    assert person.addresses == (NEW,)
