"""Answers of relays: only what a relay says it took was taken, and nothing is written blindly."""

from __future__ import annotations

from services.sender.answers import MAX_TEXT, Answer, AnswerReader, OutOfStep, reply
from services.sender.protocol import Conversation
from services.sender.transaction import Offers, Transaction
from tests.fuzz.taking import cut, taken

MAIL = (b"Subject: x\r\n\r\n", b"..dot\r\n")
LARGEST = 1_000  # writes, before this is no conversation any more


def one_input(data: bytes) -> None:
    """How the network cuts (the first octet: what the server offers), and what a server says."""
    how, said = taken(data, 2)
    whole = answers(said, b"")
    for one in whole:
        told = reply(one, "RCPT")
        assert 200 <= told.code < 600
        assert str(told).isprintable()
        assert len(told.text) <= MAX_TEXT
        assert "@" not in told.text
    assert answers(said, how[1:])[: len(whole)] == whole
    kind = how[0] if how else 1
    offers = Offers(pipelining=bool(kind & 1), each=bool(kind & 2))
    talk(Conversation(offers), said, how[1:])


def answers(said: bytes, sizes: bytes) -> list[Answer]:
    """The answers in these octets, up to what is none."""
    reader = AnswerReader()
    found: list[Answer] = []
    try:
        for piece in cut(said, sizes):
            found.extend(reader.feed(piece))
    except OutOfStep:
        return found
    return found


def talk(conversation: Conversation, said: bytes, sizes: bytes) -> None:
    """Send a window of two mails to a server that says this whatever it hears."""
    mails = [
        Transaction("s@lists.example", [f"r{n}@example.org", "q@example.org"], MAIL)
        for n in range(2)
    ]
    results = conversation.begin(mails)
    written = bytearray()
    for piece in cut(said, sizes):
        while conversation.speaks and len(written) < LARGEST:
            written += b"".join(conversation.body or ()) + conversation.release()
        if not conversation.busy:
            break
        conversation.receive(piece)
    conversation.stop("the end")
    assert not conversation.busy
    assert not conversation.speaks
    assert written.count(b"..dot\r\n") <= len(mails)
    assert sum(result.lost for result in results) <= 1 + conversation.out_of_step
    for result in results:
        accepted = [each for each in result.recipients if each and each.accepted]
        assert not accepted or (result.data and result.data.accepted) or conversation.offers.each
        assert len(result.recipients) == 2
