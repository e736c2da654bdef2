"""Which streams and subjects somebody means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.streams.naming import NO_EVENTS, meet, one_stream, parts, places
from postroad.runtime.errors import UsageError
from schemas import subjects

MAIL = "0" * 32
TOKENS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "streams"),
    [
        ("routed", ["ROUTED"]),
        ("mail.routed.held.>", ["ROUTED"]),
        ("mail.>", ["RECEIVED", "ROUTED", "SEND"]),
        (subjects.delivery("team", MAIL, "0"), ["DELIVERY"]),
        ("deadletter.router.RECEIVED.7", ["DEADLETTER"]),
    ],
)
def test_a_name_or_a_subject_means_its_streams(text: str, streams: list[str]) -> None:
    """Streams go by name in any case; a subject means each stream that could hold it."""
    assert [each.stream for each in places(text)] == streams


def test_without_a_word_all_events_are_meant() -> None:
    """Neither octets of mail, nor spans, nor what is no event."""
    assert {each.stream for each in places("")} == {s.name for s in subjects.STREAMS} - NO_EVENTS


@pytest.mark.parametrize("text", ["mial.routed.>", "ROUTE", "mail", "x.y"])
def test_what_is_neither_is_refused_with_what_there_is(text: str) -> None:
    """Whoever misspells a stream reads which there are."""
    with pytest.raises(UsageError, match="ROUTED"):
        places(text)
    with pytest.raises(UsageError, match="ROUTED"):
        one_stream(text)


@given(TOKENS, st.data())
def test_a_pattern_meets_what_it_was_made_of(tokens: list[str], data: st.DataObject) -> None:
    """Tokens replaced by wildcards still match the subject, whichever comes first."""
    wild = [data.draw(st.sampled_from([token, "*"])) for token in tokens]
    end = data.draw(st.integers(1, len(tokens)))
    for pattern in (wild, [*wild[: end - 1], ">"]):
        assert meet(".".join(tokens), ".".join(pattern))
        assert meet(".".join(pattern), ".".join(tokens))
    assert not meet(".".join(tokens), ".".join([*tokens, "c"]))
    assert not meet(".".join([*tokens[:-1], "c"]), ".".join(tokens))


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (subjects.received("box", MAIL), ("received", "", MAIL)),
        (subjects.routed("held", "team", MAIL), ("held", "team", MAIL)),
        (subjects.send("bulk", "team", MAIL, "12"), ("bulk", "team", MAIL)),
        (subjects.retry("team", MAIL, "0r1"), ("retry", "team", MAIL)),
        (subjects.membership("team", "p"), ("membership", "team", "")),
        (subjects.raw(MAIL, 0, 1), ("raw", "", MAIL)),
        (subjects.people("ab"), ("people", "", "")),
    ],
)
def test_a_subject_tells_kind_list_and_mail(subject: str, told: tuple[str, str, str]) -> None:
    """As far as it names them."""
    assert parts(subject) == told
