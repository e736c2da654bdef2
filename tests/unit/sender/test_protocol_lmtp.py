"""LMTP: behind the dot there is an answer for each recipient (RFC 2033)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.protocol import Conversation
from services.sender.transaction import Offers
from tests.unit.sender.scripted import BEHIND, CUT, OK, ScriptedServer, window
from tests.unit.sender.test_protocol import ANSWERS, assert_books_agree, codes, mails

PIPELINING = Offers(pipelining=True, each=True)
IN_TURN = Offers(each=True)
BOTH = pytest.mark.parametrize("offers", [PIPELINING, IN_TURN], ids=["pipelining", "in turn"])


def server(script: Sequence[str] = ()) -> ScriptedServer:
    """One that speaks LMTP."""
    return ScriptedServer(script, each=True)


def test_the_answers_to_a_dot_come_before_those_to_the_next_envelope() -> None:
    """The dot still leaves in one write with the next envelope; it gets as many answers as it
    has recipients."""
    conversation = Conversation(PIPELINING)
    first, second = conversation.begin(mails(2, 1))
    conversation.release()
    conversation.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert conversation.release().startswith(b".\r\nMAIL FROM:<s1@")
    conversation.receive(b"250 first\r\n452 4.2.2 second is full\r\n")
    assert codes(first) == [250, 452]
    assert not conversation.speaks
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert conversation.release() == b".\r\n"
    conversation.receive(b"250 taken\r\n")
    assert codes(second) == [250]
    assert not conversation.busy
    assert not conversation.fault


def test_leaving_between_the_answers() -> None:
    """Who leaves behind the dot hears every answer to it, and no other."""
    conversation = Conversation(PIPELINING)
    first, second = conversation.begin(mails(2, 1))
    conversation.release()
    conversation.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    conversation.release()
    conversation.receive(b"250 first\r\n")
    assert conversation.leave("enough")
    assert not conversation.speaks
    conversation.receive(b"250 second\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert codes(first) == [250, 250]
    assert second.untried
    assert not conversation.in_doubt
    assert not conversation.speaks


@BOTH
def test_each_recipient_has_an_answer_of_its_own(offers: Offers) -> None:
    """A full mailbox is that of one: the others have their copy. Who was refused at RCPT has no
    answer behind the dot."""
    mtas = server([OK, OK, "550 5.1.1 no", OK, OK, OK, OK, "452 4.2.2 full", "552 5.2.2 over"])
    first, second = window(Conversation(offers), mtas, mails(4, 1))
    assert codes(first) == [250, 550, 452, 552]
    assert codes(second) == [250]
    took = [recipient for _, recipients, _ in mtas.took for recipient in recipients]
    assert took == ["r0.0@example.org", "r1.0@example.org"]


@BOTH
@pytest.mark.parametrize("answered", range(3))
def test_cut_between_the_answers(offers: Offers, answered: int) -> None:
    """Whose answer came is settled; the rest of that message is in doubt, and nobody else."""
    script = [OK] * 5 + [OK] * answered + [CUT]
    first, second = window(Conversation(offers), server(script), mails(3, 1))
    assert codes(first) == [250] * answered + [None] * (3 - answered)
    assert first.lost
    assert second.untried


@BOTH
def test_421_between_the_answers(offers: Offers) -> None:
    """421 is the answer to one recipient and the end: those behind are in doubt."""
    script = [OK] * 6 + ["421 4.3.2 Closing" + BEHIND]
    conversation = Conversation(offers)
    first, second = window(conversation, server(script), mails(3, 1))
    assert codes(first) == [250, 421, None]
    assert first.lost
    assert second.untried
    assert "421" in conversation.fault


@BOTH
def test_an_answer_too_few_is_nobodys_acceptance(offers: Offers) -> None:
    """A server that answers a message once, as SMTP does, is out of step: whose answer that was
    is not known, so nobody is taken to have the message."""
    conversation = Conversation(offers)
    (result,) = conversation.begin(mails(2))
    while conversation.speaks:
        written = conversation.release()
        ready = b"354 go\r\n" if b"DATA" in written else b""
        conversation.receive(b"250 ok\r\n" * (written.count(b"\r\n") - bool(ready)) + ready)
        if ready:
            break
    conversation.release()
    conversation.receive(b"250 both of them\r\n354 what?\r\n")
    assert conversation.out_of_step
    assert codes(result) == [None, None]
    assert result.lost


@BOTH
def test_an_answer_too_many_is_nobodys_acceptance(offers: Offers) -> None:
    """Where one answer came twice, the next recipient's own is taken for nothing: then that
    message is in doubt."""
    script = [OK] * 4 + ["250 taken\r\n250 once more\r\n", "550 5.2.0 not this one"]
    mta = server(script)
    results = window(Conversation(offers), mta, mails(2))
    assert results[0].lost
    assert_books_agree(mails(2), results, mta)


def test_data_without_a_recipient() -> None:
    """A 354 although nobody was accepted is against the protocol (RFC 2033 section 4.2): how many
    answers its dot would get, nobody can say."""
    conversation = Conversation(PIPELINING)
    (result,) = window(conversation, server([OK, "550 5.1.1 no", "354 go"]), mails(1))
    assert conversation.out_of_step
    assert not result.lost


def is_one(said: str) -> bool:
    """Whether this is one answer, or none; not half of one, or two."""
    return "-half" not in said and "twice" not in said


@BOTH
@settings(deadline=None)
@given(
    script=st.lists(ANSWERS.filter(is_one), max_size=30),
    cuts=st.lists(st.integers(1, 40), max_size=8),
    windows=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=2),
)
def test_we_know_what_the_server_did(
    offers: Offers, script: list[str], cuts: list[int], windows: list[list[int]]
) -> None:
    """Whatever is answered to whom, cut at any octet: accepted means taken once, refused and
    untried mean not taken, and at most one message is in doubt. Half an answer, or two, are left
    out: then recipients have each other's, and nobody can tell before the count is wrong."""
    conversation = Conversation(offers)
    mta = server(script)
    for counts in windows:
        transactions = mails(*counts)
        results = window(conversation, mta, transactions, cuts)
        assert_books_agree(transactions, results, mta)
        mta.took.clear()
