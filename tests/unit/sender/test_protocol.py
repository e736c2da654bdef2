"""The SMTP conversation: every answer at every command, however the network cuts it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.answers import Reply
from services.sender.protocol import Conversation
from services.sender.transaction import Offers, Result, Transaction
from tests.unit.sender.scripted import BEHIND, CUT, OK, ScriptedServer, converse, window

PIPELINING = Offers(pipelining=True)
IN_TURN = Offers()
BOTH = pytest.mark.parametrize("offers", [PIPELINING, IN_TURN], ids=["pipelining", "in turn"])

DATA = (b"Subject: x\r\n\r\n", b"..dot\r\nplain\r\n")
SENT = b"Subject: x\r\n\r\n.dot\r\nplain\r\n"


def mails(*recipients: int) -> list[Transaction]:
    """One transaction for each number, to so many recipients; all addresses differ."""
    return [
        Transaction(f"s{n}@lists.example", [f"r{n}.{i}@example.org" for i in range(count)], DATA)
        for n, count in enumerate(recipients)
    ]


def codes(result: Result) -> list[int | None]:
    """The codes of a result's replies."""
    return [reply.code if reply else None for reply in result.recipients]


# --- the shape on the wire -------------------------------------------------------------------


def test_a_message_costs_one_write() -> None:
    """With PIPELINING the end of one message and the whole next envelope leave together, and a
    body only after its 354."""
    conversation = Conversation(PIPELINING)
    conversation.begin(mails(1, 2))
    assert conversation.release() == (
        b"MAIL FROM:<s0@lists.example>\r\nRCPT TO:<r0.0@example.org>\r\nDATA\r\n"
    )
    conversation.receive(b"250 ok\r\n250 ok\r\n")
    assert not conversation.speaks
    conversation.receive(b"354 go\r\n")
    assert conversation.body == DATA
    assert conversation.release() == (
        b".\r\nMAIL FROM:<s1@lists.example>\r\n"
        b"RCPT TO:<r1.0@example.org>\r\nRCPT TO:<r1.1@example.org>\r\nDATA\r\n"
    )
    conversation.receive(b"250 taken\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert conversation.release() == b".\r\n"
    assert conversation.in_doubt
    conversation.receive(b"250 taken\r\n")
    assert not conversation.busy
    assert not conversation.fault


def test_without_an_offer_each_command_waits_for_its_answer() -> None:
    """A server that does not offer PIPELINING never gets a command before it answered the last."""
    conversation = Conversation(IN_TURN)
    server = ScriptedServer()
    results = conversation.begin(mails(2, 1))
    while conversation.busy:
        written = conversation.release()
        assert written.count(b"\r\n") == 1
        conversation.receive(
            server.receive(b"".join(conversation.body or DATA * server._in_data) + written)
        )
    assert [codes(result) for result in results] == [[250, 250], [250]]
    assert server.heard == ["MAIL", "RCPT", "RCPT", "DATA", ".", "MAIL", "RCPT", "DATA", "."]


@BOTH
def test_a_window_arrives_as_it_was_sent(offers: Offers) -> None:
    """Every transaction arrives once, with its own sender and recipients and unaltered data."""
    server = ScriptedServer()
    conversation = Conversation(offers)
    for _ in range(2):
        results = window(conversation, server, mails(1, 3, 2))
        assert [codes(result) for result in results] == [[250], [250] * 3, [250] * 2]
    assert server.took == [(t.sender, tuple(t.recipients), SENT) for t in mails(1, 3, 2)] * 2
    assert "RSET" not in server.heard


def test_taking_leave() -> None:
    """QUIT is said and its answer heard; nothing can be sent behind it."""
    server = ScriptedServer()
    conversation = Conversation(PIPELINING)
    conversation.quit()
    converse(conversation, server)
    assert server.heard == ["QUIT"]
    assert window(conversation, server, mails(1))[0].untried


# --- refusals --------------------------------------------------------------------------------


@BOTH
def test_a_refused_sender_refuses_the_transaction(offers: Offers) -> None:
    """The answer to MAIL counts for every recipient; the next transaction is not touched."""
    server = ScriptedServer(["550 5.7.1 Not you"])
    first, second = window(Conversation(offers), server, mails(2, 1))
    assert first.recipients == [Reply(550, "5.7.1", "Not you", "MAIL")] * 2
    assert codes(second) == [250]
    assert len(server.took) == 1


@BOTH
def test_refused_recipients_do_not_stop_the_others(offers: Offers) -> None:
    """Each recipient has an answer of its own; the message goes to who was accepted."""
    server = ScriptedServer([OK, "550 5.1.1 Unknown", OK, "450 4.2.1 Later"])
    (result,) = window(Conversation(offers), server, mails(3))
    assert codes(result) == [550, 250, 450]
    assert [r.command for r in result.recipients if r] == ["RCPT", ".", "RCPT"]
    assert server.took == [("s0@lists.example", ("r0.1@example.org",), SENT)]


@BOTH
def test_nobody_left_and_data_refused(offers: Offers) -> None:
    """Where all recipients are refused and DATA with them, RSET clears what the server may hold
    before the next MAIL, in this window or the next."""
    server = ScriptedServer([OK, "550 5.1.1 Unknown"])
    conversation = Conversation(offers)
    (result,) = window(conversation, server, mails(1))
    assert codes(result) == [550]
    assert result.data is None
    (result,) = window(conversation, server, mails(1))
    assert codes(result) == [250]
    assert server.heard == ["MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "."]


@BOTH
def test_nobody_left_and_data_accepted(offers: Offers) -> None:
    """A server that says 354 although all recipients are refused gets a lone dot, and no body
    (RFC 2920 section 3.1)."""
    server = ScriptedServer([OK, "550 5.1.1 Unknown", "354 Go", "554 5.5.1 Nobody"])
    first, second = window(Conversation(offers), server, mails(1, 1))
    assert (codes(first), codes(second)) == ([550], [250])
    assert server.heard == ["MAIL", "RCPT", "DATA", ".", "MAIL", "RCPT", "DATA", "."]
    assert server.took == [("s1@lists.example", ("r1.0@example.org",), SENT)]


@BOTH
@pytest.mark.parametrize("command", ["DATA", "."])
def test_a_refused_message_refuses_who_was_accepted(offers: Offers, command: str) -> None:
    """The answer to DATA or to the message is the last word on those accepted before."""
    before = [OK, "550 5.1.1 Unknown", OK] + [OK] * (command == ".")
    server = ScriptedServer([*before, "451 4.3.0 Disk\nfull"])
    first, second = window(Conversation(offers), server, mails(2, 1))
    assert codes(first) == [550, 451]
    assert first.data == Reply(451, "4.3.0", "Disk full", command)
    assert codes(second) == [250]


@BOTH
@pytest.mark.parametrize("at", range(4))
def test_421_ends_the_session(offers: Offers, at: int) -> None:
    """421 answers its command, whichever it is; everything behind is not tried."""
    server = ScriptedServer([*[OK] * at, "421 4.3.2 Closing" + BEHIND])
    conversation = Conversation(offers)
    first, second = window(conversation, server, mails(1, 1))
    assert codes(first) == [421]
    assert second.untried
    assert not server.took
    assert "421 4.3.2 Closing" in conversation.fault
    assert not conversation.out_of_step


def test_421_while_nothing_is_asked() -> None:
    """A server may hang up between windows; the next window is not tried."""
    conversation = Conversation(PIPELINING)
    conversation.receive(b"421 4.4.2 Timeout, closing\r\n")
    assert "421" in conversation.fault
    assert not conversation.out_of_step
    assert window(conversation, ScriptedServer(), mails(1))[0].untried


def test_a_refusal_in_mid_message() -> None:
    """A server may refuse a message it has only half: that is its answer, no dot follows, and
    the connection is of no further use."""
    conversation = Conversation(PIPELINING)
    first, second = conversation.begin(mails(1, 1))
    conversation.release()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    conversation.receive(b"552 5.3.4 Enough\r\n")
    assert codes(first) == [552]
    assert second.untried
    assert conversation.fault
    assert not conversation.speaks
    assert not conversation.out_of_step


# --- the connection ends ---------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("at", range(3))
def test_cut_before_the_dot_is_safe_to_repeat(offers: Offers, at: int) -> None:
    """A connection that ends before a message's final dot leaves its recipients untried."""
    server = ScriptedServer([*[OK] * at, CUT])
    first, second = window(Conversation(offers), server, mails(1, 1))
    assert first.untried
    assert second.untried


@BOTH
def test_cut_behind_the_dot_is_in_doubt(offers: Offers) -> None:
    """A connection that ends between a final dot and its answer leaves exactly that message in
    doubt; who was refused before stays refused."""
    server = ScriptedServer([*[OK] * 4, OK, "550 5.1.1 Unknown", OK, OK, CUT])
    results = window(Conversation(offers), server, mails(1, 2, 1))
    assert [codes(result) for result in results] == [[250], [550, None], [None]]
    assert [result.lost for result in results] == [False, True, False]
    assert results[2].untried


def test_stop_before_the_dot_leaves_is_no_doubt() -> None:
    """A message whose body is only partly written cannot have been taken."""
    conversation = Conversation(PIPELINING)
    (result,) = conversation.begin(mails(1))
    conversation.release()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    conversation.stop("cut")
    assert result.untried


# --- out of step -----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "script",
    [
        ["354 what"],
        [OK, "354 what"],
        [OK, OK, "250 what"],
        [OK, OK, OK, "354 what"],
        ["250 ok\r\n250 and one more\r\n"],
        [OK, OK, OK, "250 ok\r\n250 and one more\r\n"],
        ["199 hm"],
        ["hello"],
        ["600 hm"],
        ["550 5.7.1 no", "250 but you\r\n", "354 go"],
        [OK, "550 5.1.1 no", OK, "500 what RSET"],
    ],
)
def test_nothing_is_believed_or_sent_out_of_step(offers: Offers, script: Sequence[str]) -> None:
    """An answer that cannot be one to its command ends the connection, and no body follows."""
    conversation = Conversation(offers)
    server = ScriptedServer(script)
    results = window(conversation, server, mails(1, 1))
    assert conversation.out_of_step
    assert not conversation.busy
    assert_books_agree(mails(1, 1), results, server)


def test_a_missing_answer_is_nobodys_acceptance() -> None:
    """Where one answer of a write is missing, the first may not be the message's own: that
    message is in doubt, however well the answer looks."""
    conversation = Conversation(PIPELINING)
    first, second = conversation.begin(mails(1, 1))
    conversation.release()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    conversation.release()
    conversation.receive(b"250 2.1.0 the sender?\r\n250 2.1.5 the recipient?\r\n354 go\r\n")
    assert conversation.out_of_step
    assert first.lost
    assert codes(first) == [None]
    assert second.untried


def test_answers_out_of_step_blame_nobody() -> None:
    """Refusals that may have been meant for others are forgotten."""
    server = ScriptedServer(["250 ok\r\n250 twice\r\n", "550 5.1.1 the first is unknown"])
    (result,) = window(Conversation(PIPELINING), server, mails(2))
    assert result.untried


@settings(deadline=None)
@given(
    st.frozensets(st.integers(1, 12), min_size=1),
    st.lists(st.integers(1, 2), min_size=1, max_size=4),
)
def test_a_lie_about_pipelining_loses_nothing(forgets: frozenset[int], counts: list[int]) -> None:
    """A server that drops what was sent ahead runs into silence: what it took is known, what it
    did not is not tried."""
    server = ScriptedServer(forgets=forgets)
    transactions = mails(*counts)
    results = window(Conversation(PIPELINING), server, transactions)
    assert_books_agree(transactions, results, server)


# --- everything at once ----------------------------------------------------------------------

ANSWERS = st.sampled_from(
    [
        *[OK] * 30,
        *("250 ok", "251 will forward", "250 several\nlines\nof it", "354 go", "220 hm"),
        *("421 4.3.2 closing", "421 4.3.2 closing" + BEHIND, "450 4.2.1 later", "452 4.5.3 many"),
        *("550 5.1.1 unknown", "554 5.7.1 2.0.0 no\n5.7.1 never", "503 sequence", "500 what"),
        *("hm", "199 hm", "250-half\r\n", "250 ok\r\n250 twice\r\n", CUT, OK + BEHIND),
    ]
)


def assert_books_agree(
    transactions: Sequence[Transaction], results: Sequence[Result], server: ScriptedServer
) -> None:
    """What we say of each recipient is what the server did."""
    took = [recipient for _, recipients, _ in server.took for recipient in recipients]
    assert len(took) == len(set(took))
    assert all(data == SENT for _, _, data in server.took)
    for transaction, result in zip(transactions, results, strict=True):
        for address, reply in zip(transaction.recipients, result.recipients, strict=True):
            if reply is not None:
                assert (address in took) == reply.accepted
            elif not result.lost:
                assert address not in took
    assert sum(result.lost for result in results) <= 1


@BOTH
@settings(deadline=None)
@given(
    script=st.lists(ANSWERS, max_size=30),
    cuts=st.lists(st.integers(1, 40), max_size=8),
    windows=st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), min_size=1, max_size=2),
)
def test_we_know_what_the_server_did(
    offers: Offers, script: list[str], cuts: list[int], windows: list[list[int]]
) -> None:
    """Whatever the server answers at whichever command, cut at any octet: accepted means taken
    once, refused and untried mean not taken, and at most one message is in doubt."""
    conversation = Conversation(offers)
    server = ScriptedServer(script)
    for counts in windows:
        transactions = mails(*counts)
        results = window(conversation, server, transactions, cuts)
        assert_books_agree(transactions, results, server)
        server.took.clear()


@BOTH
@settings(deadline=None)
@given(
    answered=st.integers(0, 12),
    closes=st.booleans(),
    cuts=st.lists(st.integers(1, 20), max_size=4),
)
def test_421_at_any_moment(offers: Offers, answered: int, closes: bool, cuts: list[int]) -> None:
    """A server that gives notice behind any answer, asked or not, whether it hangs up at once or
    not: nothing more is sent to it, and what it took is known."""
    usual = ("250 ok", "250 ok", "354 go", "250 taken")
    notice = f"{usual[answered % 4]}\r\n421 4.3.2 Closing\r\n" + (BEHIND if closes else "")
    server = ScriptedServer([*[OK] * answered, notice])
    conversation = Conversation(offers)
    results = window(conversation, server, mails(1, 1, 1), cuts)
    assert "421" in conversation.fault or answered == 12
    assert not conversation.speaks
    assert_books_agree(mails(1, 1, 1), results, server)


# One too many is of the window where it comes with the last answer, and of none behind it.
NO_MORE = ANSWERS.filter(lambda answer: "twice" not in answer and not answer.endswith(BEHIND))


@BOTH
@settings(deadline=None)
@given(script=st.lists(NO_MORE, max_size=20), cuts=st.lists(st.integers(1, 5), min_size=1))
def test_cuts_between_segments_change_nothing(
    offers: Offers, script: list[str], cuts: list[int]
) -> None:
    """Answers mean the same however the network cuts them."""
    whole = window(Conversation(offers), ScriptedServer(script), mails(1, 2, 1))
    in_pieces = window(Conversation(offers), ScriptedServer(script), mails(1, 2, 1), cuts)
    assert in_pieces == whole
