"""Lists over NATS: created once, configured, shown, closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from schemas.commands import (
    ChangeMember,
    CloseList,
    ConfigureList,
    CreateList,
    ListLists,
    ShowList,
    Subscribe,
    Unsubscribe,
)
from tests.broker.membership import LIST, SLUG, Membership, membership, settings


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service."""
    async with membership(broker, settings(tmp_path)) as running:
        yield running


async def test_a_list_is_there_as_soon_as_it_is_created(service: Membership) -> None:
    """The answer to `list create` comes when the list can be shown and written to."""
    answer = await service.ask(CreateList(address=LIST, settings={"description": "Tea"}))
    assert (answer.changed, answer.refused) == (1, "")
    await service.add("ann@example.org")
    (row,) = (await service.ask(ShowList(list=LIST))).lists
    assert (row.slug, row.address, row.members, row.owners) == (SLUG, LIST, 1, 0)
    assert (row.settings.description, row.settings.display_name) == ("Tea", "Team")
    assert row.since


async def test_two_who_create_a_list_make_one(service: Membership) -> None:
    """However many create the same list at once, one succeeds and the others are told."""
    requests = [service.ask(CreateList(address=LIST)) for _ in range(5)]
    answers = await asyncio.gather(*requests)
    assert sorted(answer.code for answer in answers) == ["", *["list_exists"] * 4]
    assert len((await service.ask(ListLists())).lists) == 1


async def test_two_lists_of_one_slug_get_two(service: Membership) -> None:
    """Two addresses that would make the same slug, created at once, get one each."""
    addresses = ("a.b@example.org", "a-b@example.org", "a_b@example.org")
    await asyncio.gather(*(service.create(address) for address in addresses))
    rows = (await service.ask(ListLists())).lists
    slugs = {row.slug for row in rows}
    assert slugs == {"a-b-example-org", "a-b-example-org-2", "a-b-example-org-3"}


REFUSED = [
    (CreateList(address="team@"), "bad_address", "'team@' is no mail address"),
    (CreateList(address=LIST), "list_exists", "exists already"),
    (CreateList(address="x@example.org", settings={"mdoe": "shared"}), "bad_setting", "'mode'"),
    (ConfigureList(list=LIST, settings={"mode": "x"}), "bad_setting", "personal, shared"),
    (ConfigureList(list="no@example.org", settings={}), "unknown_list", "no@example.org"),
    (ShowList(list="no-example-org"), "unknown_list", "no-example-org"),
    (Subscribe(list="no@example.org", address="a@example.org"), "unknown_list", "no list"),
    (Subscribe(list=LIST, address="not an address"), "bad_address", "is no mail address"),
    (Unsubscribe(list=LIST, address="@example.org"), "bad_address", "is no mail address"),
    (
        ChangeMember(list=LIST, address="a@example.org", delivery_mode="none"),
        "unknown_member",
        "add it first",
    ),
]


async def test_a_refusal_says_what_and_how(service: Membership) -> None:
    """Wrong input is one clear line with what is wrong in it, a code, and nothing changed."""
    await service.create()
    for request, code, words in REFUSED:
        answer = await service.ask(request)
        assert (answer.code, answer.changed) == (code, 0)
        assert words in answer.refused
        assert "\n" not in answer.refused


async def test_settings_change_and_stay(service: Membership) -> None:
    """A setting is what it was last set to; setting it again changes nothing."""
    await service.create()
    change = ConfigureList(list=LIST, settings={"mode": "shared", "subject_prefix": ""})
    assert (await service.ask(change)).changed == 1
    assert (await service.ask(change)).changed == 0
    (row,) = (await service.ask(ShowList(list=SLUG))).lists
    assert (row.settings.personalize, row.settings.subject_prefix) == ("none", "")


async def test_a_closed_list_keeps_its_history(service: Membership) -> None:
    """A closed list takes nobody, is shown but not listed, and its address can have a new list
    under another slug."""
    await service.create()
    await service.add("ann@example.org")
    assert (await service.ask(CloseList(list=LIST))).changed == 1
    assert (await service.ask(Subscribe(list=LIST, address="bob@example.org"))).code == "closed"
    assert (await service.ask(ListLists())).lists == ()
    (row,) = (await service.ask(ShowList(list=LIST))).lists
    assert (row.closed, row.members) == (True, 1)
    await service.create()
    (row,) = (await service.ask(ShowList(list=LIST))).lists
    assert (row.closed, row.members, row.slug) == (False, 0, f"{SLUG}-2")


async def test_nonsense_is_answered(service: Membership) -> None:
    """A request that is none is refused in one line, and asking who somebody is answers an error
    that nobody can take for a stranger."""
    answer = await service.broker.request("postroad.membership.subscribe", b'{"list": 1}')
    assert b"bad_request" in answer
    assert b"Traceback" not in answer
    assert await service.broker.request("postroad.membership.whois", b"?") == b""
