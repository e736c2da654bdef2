"""Lists in memory: never out of date, never too many."""

from __future__ import annotations

from projections.roster import Standing
from services.membership.mirror import Mirror, Recipient, SmallList

MEMBER = Standing(roles=frozenset({"member"}), from_seq=5)
AWAY = Standing(roles=frozenset({"member"}), delivery_status="by_user", from_seq=9)
OWNER = Standing(roles=frozenset({"owner"}), from_seq=2)


def at(person: str) -> Recipient:
    """Where somebody is reached."""
    return Recipient(person, f"{person}@example.org", "example.org")


def small(*people: str) -> SmallList:
    """A list of these members."""
    return SmallList.of(dict.fromkeys(people, MEMBER), {p: at(p) for p in people})


def test_who_receives_is_worked_out_once() -> None:
    """Recipients are enabled members in order of person; what others did last does not count
    for how old the answer is."""
    standings = {"c": MEMBER, "a": MEMBER, "b": AWAY, "d": OWNER}
    found = SmallList.of(standings, {p: at(p) for p in standings})
    assert [one.person for one in found.recipients] == ["a", "c"]
    assert found.newest == 5
    assert found.complete


def test_an_erased_person_is_known_and_gets_nothing() -> None:
    """Somebody without an address is left out; somebody not folded yet makes it incomplete."""
    assert SmallList.of({"a": MEMBER, "b": MEMBER}, {"a": at("a"), "b": None}).complete
    assert not SmallList.of({"a": MEMBER, "b": MEMBER}, {"a": at("a")}).complete


def test_a_changed_list_is_forgotten_and_no_other() -> None:
    """After a change to a list its answer comes from the roster again."""
    mirror = Mirror()
    mirror.remember_list("team", small("a"))
    mirror.remember_list("crew", small("b"))
    mirror.lists_changed(["team"])
    assert mirror.list("team") is None
    assert mirror.list("crew") is not None


def test_a_changed_address_is_nowhere_remembered() -> None:
    """After a change to somebody on a remembered list nothing old is answered; a stranger's
    address that becomes somebody's is asked for again."""
    mirror = Mirror()
    mirror.remember_list("team", small("a"))
    mirror.remember_person("key", "")
    mirror.people_changed([("key", "new")])
    assert mirror.person("key") is None
    assert mirror.list("team") is not None
    mirror.people_changed([("other", "a")])
    assert mirror.list("team") is None


def test_memory_is_bounded() -> None:
    """Taking in more than the limit forgets what was there before."""
    mirror = Mirror(limit=10)
    for number in range(100):
        mirror.remember_list(f"list-{number}", small("a", "b", "c"))
        mirror.remember_person(f"key-{number}", "a")
    assert sum(mirror.list(f"list-{number}") is not None for number in range(100)) <= 3
    assert mirror.list("list-99") is not None
