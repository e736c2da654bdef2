"""Which list is meant: by address, by slug, open before closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.envelope import Envelope, Event
from schemas.lists import ListClosed, ListCreated, ListSettings
from services.membership.directory import Directory
from services.membership.refused import Refused

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def created(slug: str, address: str = "team@example.org") -> ListCreated:
    """A list."""
    return ListCreated(slug=slug, address=address, settings=ListSettings())


def directory(*messages: tuple[str, Event]) -> Directory:
    """What these messages, one an hour, leave behind."""
    found = Directory()
    for number, (slug, event) in enumerate(messages):
        time = NOON + timedelta(hours=number)
        found.fold(slug, number + 1, Envelope(id="", ts=time, correlation="", events=(event,)))
    return found


def test_a_list_is_found_by_address_and_by_slug() -> None:
    """Both name the same list, in upper or lower case, since it was created."""
    found = directory(("team", created("team")), ("crew", created("crew", "crew@example.org")))
    assert found.find("Team@Example.org") == found.find("team") == found.get("team")
    assert found.find("crew").since == NOON + timedelta(hours=1)


def test_the_open_list_comes_before_a_closed_one() -> None:
    """Of two lists that had the same address, the address means the open one."""
    found = directory(("a", created("a")), ("a", ListClosed()), ("b", created("b")))
    assert found.find("team@example.org").state.slug == "b"


def test_a_closed_list_can_be_looked_at_but_not_changed() -> None:
    """Whoever asks for an open list is told that it is closed, not that it never was."""
    found = directory(("team", created("team")), ("team", ListClosed()))
    assert found.find("team@example.org").state.closed
    with pytest.raises(Refused, match="is closed"):
        found.find_open("team@example.org")


def test_an_unknown_list_is_named() -> None:
    """What was typed stands in the refusal."""
    with pytest.raises(Refused, match=r"no list 'taem@example\.org'"):
        directory().find("taem@example.org")


def test_a_page_is_of_open_lists_in_order_of_address() -> None:
    """`list ls` shows open lists, a page at a time."""
    found = directory(
        ("b", created("b", "b@x.org")),
        ("a", created("a", "a@x.org")),
        ("c", created("c", "c@x.org")),
        ("b", ListClosed()),
    )
    assert [one.state.address for one in found.page("", 1)] == ["a@x.org"]
    assert [one.state.address for one in found.page("a@x.org", 5)] == ["c@x.org"]
