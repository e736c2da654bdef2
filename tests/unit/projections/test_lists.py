"""The lists there are, folded from their events."""

from __future__ import annotations

from typing import Any

from projections.lists import Directory, List, evolve
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListSettings


def created(slug: str, address: str, **settings: Any) -> ListCreated:
    """The birth of a list."""
    return ListCreated(slug=slug, address=address, settings=ListSettings(**settings))


def directory(*messages: tuple[str, Event]) -> Directory:
    """A directory after these messages, in sequence from 1."""
    made = Directory()
    for seq, (slug, event) in enumerate(messages, 1):
        made.fold(slug, seq, (event,))
    return made


TEAM = created("team", "team@lists.example.org", description="The team")
CHESS = created("chess", "chess@club.example.net")


def test_a_created_list_is_reached_by_its_address() -> None:
    """As soon as its event is folded, mail to its address is its own."""
    assert directory(("team", TEAM)).reach() == {"team@lists.example.org": "team"}


def test_a_domain_reaches_only_its_own_lists() -> None:
    """The lists of other domains are out of reach."""
    both = directory(("team", TEAM), ("chess", CHESS))
    assert both.reach("club.example.net") == {"chess@club.example.net": "chess"}
    assert len(both.reach()) == 2


def test_aliases_reach_the_list_and_patterns_do_not() -> None:
    """An alias routes like the address; a Mailman pattern (`^...`) is no address."""
    aliased = created(
        "team", "team@lists.example.org", acceptable_aliases=("crew@old.example.org", "^team-.*")
    )
    assert directory(("team", aliased)).reach("lists.example.org") == {
        "team@lists.example.org": "team",
        "crew@old.example.org": "team",
    }


def test_an_alias_never_takes_mail_from_the_list_of_that_address() -> None:
    """A list cannot claim another list's address, whichever came first."""
    thief = created("b", "b@x.org", acceptable_aliases=("team@lists.example.org",))
    for order in ([("b", thief), ("team", TEAM)], [("team", TEAM), ("b", thief)]):
        assert directory(*order).reach()["team@lists.example.org"] == "team"


def test_changed_settings_hold_from_the_next_mail_on() -> None:
    """A change replaces the settings it names, keeps the others, and is the new version."""
    changed = ListConfigured(
        changes={
            "default_nonmember_action": ("hold", "accept"),
            "acceptable_aliases": ([], ["crew@lists.example.org"]),
            "subject_prefix": (None, ""),
        }
    )
    made = directory(("team", TEAM), ("chess", CHESS), ("team", changed))
    assert made.reach()["crew@lists.example.org"] == "team"
    assert made["team"] == List(
        slug="team",
        address="team@lists.example.org",
        settings=ListSettings(
            description="The team",
            default_nonmember_action="accept",
            acceptable_aliases=("crew@lists.example.org",),
            subject_prefix="",
        ),
        seq=3,
    )


def test_a_setting_of_a_newer_release_is_passed_over() -> None:
    """What this release does not know changes nothing, and breaks nothing."""
    newer = ListConfigured(changes={"teleport": (False, True), "description": ("The team", "Us")})
    assert directory(("team", TEAM), ("team", newer))["team"].settings.description == "Us"


def test_a_closed_list_is_found_only_among_the_closed() -> None:
    """It takes no mail, and still can be told from an address that never was a list."""
    made = directory(("team", TEAM), ("chess", CHESS), ("team", ListClosed()))
    assert made.reach() == {"chess@club.example.net": "chess"}
    assert made.reach(closed=True) == {"team@lists.example.org": "team"}


def test_an_address_may_serve_a_second_list_after_the_first_is_closed() -> None:
    """The slug is new, the address the same: mail goes to the open one."""
    again = created("team-2", "team@lists.example.org")
    made = directory(("team", TEAM), ("team", ListClosed()), ("team-2", again))
    assert made.reach() == {"team@lists.example.org": "team-2"}


def test_events_of_a_list_that_was_never_created_change_nothing() -> None:
    """A fold starts anywhere without raising."""
    assert evolve(None, "team", 1, (ListClosed(), ListConfigured(changes={}))) is None
    made = directory(("team", ListClosed()))
    assert made.reach() == {}
    assert made.seq == 1


def test_a_list_is_found_by_its_list_id() -> None:
    """By that of its address, whatever dots are in it; never by an alias's, a closed list's, or
    from another domain's mailbox."""
    dotted = created("dotted", "a.b@lists.example.org", acceptable_aliases=("old@example.org",))
    known = directory(("team", TEAM), ("dotted", dotted), ("chess", CHESS), ("chess", ListClosed()))
    assert getattr(known.named("a.b.lists.example.org"), "slug", "") == "dotted"
    assert getattr(known.named("team.lists.example.org"), "slug", "") == "team"
    assert known.named("team.lists.example.org", "club.example.net") is None
    for id_ in ("old.example.org", "chess.club.example.net", "team", "", ".", "..."):
        assert known.named(id_) is None


def test_the_lists_within_a_domain_are_the_open_ones() -> None:
    """Each once, however many addresses it has."""
    aliased = created("team", "team@lists.example.org", acceptable_aliases=("t@lists.example.org",))
    known = directory(("team", aliased), ("chess", CHESS), ("chess", ListClosed()))
    assert [each.slug for each in known.within()] == ["team"]
    assert known.within("club.example.net") == ()
