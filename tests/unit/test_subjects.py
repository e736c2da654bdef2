"""The vocabulary: every subject has one stream, no subject holds an address."""

from __future__ import annotations

import re

import pytest

from schemas import subjects

MAIL = "0123456789abcdef" * 4
PERSON = "0123456789abcdef01234567"
BUILT = {
    "raw": subjects.raw(MAIL, 0, 3),
    "received": subjects.received("office", MAIL),
    "routed": subjects.routed("post", "team-lists-example-org", MAIL),
    "unrouted": subjects.routed("unrouted", subjects.NO_LIST, MAIL),
    "send": subjects.send("now", "team", MAIL, "0"),
    "bulk": subjects.send("bulk", "team", MAIL, "12"),
    "fanout": subjects.fanout("team", MAIL),
    "retry": subjects.retry("team", MAIL, "0r1"),
    "delivery": subjects.delivery("team", MAIL, "0"),
    "membership": subjects.membership("team", PERSON),
    "lists": subjects.lists("team"),
    "people": subjects.people("ab" * 16),
    "deadletter": subjects.deadletter("router", "RECEIVED", 7),
    "spans": subjects.spans("ab" * 16),
    "checkpoint": subjects.checkpoint("office"),
    "site key": subjects.site_key(),
}
PATTERNS = [(stream.name, pattern) for stream in subjects.STREAMS for pattern in stream.subjects]


def matches(pattern: str, subject: str) -> bool:
    """NATS subject matching: `*` is one token, a final `>` one or more."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(given) > index
        if index >= len(given) or (part != given[index] and "*" not in (part, given[index])):
            return False
    return len(wanted) == len(given)


def within(narrow: str, wide: str) -> bool:
    """Whether every subject of the pattern `narrow` also matches `wide`."""
    return matches(wide, narrow.replace(">", "x.x.x"))


@pytest.mark.parametrize("name", BUILT)
def test_every_subject_belongs_to_exactly_one_stream(name: str) -> None:
    """What we publish is stored, and stored once; and `stream_of` knows where."""
    owners = [stream for stream, pattern in PATTERNS if matches(pattern, BUILT[name])]
    assert owners == [subjects.stream_of(BUILT[name])]


def test_no_two_streams_overlap() -> None:
    """The broker refuses overlapping streams; find out before it does."""
    for index, (stream, pattern) in enumerate(PATTERNS):
        for other, another in PATTERNS[index + 1 :]:
            assert not within(pattern, another), (stream, other)
            assert not within(another, pattern), (stream, other)


@pytest.mark.parametrize("name", BUILT)
def test_no_subject_has_a_token_that_could_be_an_address(name: str) -> None:
    """Tokens are slugs, ids and numbers: no @, no space, no wildcard, nothing empty."""
    assert all(re.fullmatch(r"\$?[A-Za-z0-9_-]+", token) for token in BUILT[name].split("."))


def test_no_subject_is_built_from_an_address() -> None:
    """No function of the vocabulary has an argument that asks for an address or a name."""
    functions = [
        function
        for function in vars(subjects).values()
        if callable(function) and getattr(function, "__module__", "") == subjects.__name__
    ]
    asked = {name for function in functions for name in getattr(function, "__annotations__", ())}
    assert not asked & {"address", "recipient", "sender", "author", "email", "display_name"}


def test_one_filter_finds_every_decision_on_a_mail_and_list() -> None:
    """`decided` spans all kinds, and neither another list nor another mail."""
    decided = subjects.decided("team", MAIL)
    for kind in ("post", "held", "rejected", "discarded", "owner", "command", "bounce", "done"):
        assert matches(decided, subjects.routed(kind, "team", MAIL))
    assert not matches(decided, subjects.routed("post", "team-2", MAIL))
    assert not matches(decided, subjects.routed("post", "team", "f" * 64))


def test_durables_read_their_own_stream() -> None:
    """A durable's filters all lie within the stream it reads, and names are unique."""
    streams = {stream.name: stream for stream in subjects.STREAMS}
    for durable in subjects.DURABLES:
        for wanted in durable.filters:
            owners = streams[durable.stream].subjects
            assert any(within(wanted, pattern) for pattern in owners), durable.name
    names = [durable.name for durable in subjects.DURABLES]
    assert len(set(names)) == len(names)


def test_producers_publish_only_into_streams_we_keep() -> None:
    """Every right to publish lies within one stream: nothing is published into the void."""
    for service, rights in subjects.PRODUCERS.items():
        for right in rights:
            owners = [stream for stream, pattern in PATTERNS if within(right, pattern)]
            assert len(owners) == 1, (service, right)


def test_only_the_right_service_may_write_what_it_owns() -> None:
    """Ingest cannot order mail to be sent, and nobody but membership changes a roster."""

    def may(service: str, subject: str) -> bool:
        return any(matches(right, subject) for right in subjects.PRODUCERS[service])

    assert [name for name in subjects.PRODUCERS if may(name, BUILT["send"])] == [
        "membership",
        "sender",  # parts of what it was given
    ]
    assert [name for name in subjects.PRODUCERS if may(name, BUILT["membership"])] == ["membership"]
    assert [name for name in subjects.PRODUCERS if may(name, BUILT["received"])] == ["ingest"]
    assert [name for name in subjects.PRODUCERS if may(name, BUILT["routed"])] == ["router"]
    assert [name for name in subjects.PRODUCERS if may(name, BUILT["delivery"])] == ["sender"]


def test_a_filter_that_lets_all_through_is_known() -> None:
    """A reader of a whole stream is told from one of a part: then the server looks at none."""
    assert subjects.is_whole("MEMBERSHIP", "membership.>")
    assert not subjects.is_whole("MEMBERSHIP", "membership.team.>")
    assert not subjects.is_whole("SEND", "mail.send.>")
