"""What a session answers, without a network."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.smtpd.session import CHATTER, ERRORS
from tests.unit.ingest.smtpclient import spoken

HELLO = b"EHLO me\r\n"
MAIL = b"MAIL FROM:<ada@a.example>\r\n"
RCPT = b"RCPT TO:<team@example.org>\r\n"
DATA = b"DATA\r\n"
TEXT = b"Subject: x\r\n\r\n..\r\n.\r\n"
QUIT = b"QUIT\r\n"
REPLY = re.compile(r"[2-5][0-9][0-9][ -][ -~]*")
PLAIN = b64encode(b"\0ada\0secret")


def codes(said: list[str]) -> str:
    """The replies' codes behind the greeting, without continuation lines."""
    return " ".join(line[:3] for line in said[1:] if line[3] == " ")


def test_commands_may_come_together() -> None:
    """PIPELINING: everything up to DATA, and what follows the end of a mail, in one piece."""
    said, ledger = spoken(HELLO, MAIL + RCPT + DATA, TEXT + MAIL + RCPT + DATA, TEXT + QUIT)
    assert codes(said) == "250 250 250 354 250 250 250 354 250 221"
    assert [data for _, data in ledger.taken] == [b"Subject: x\r\n\r\n.\r\n"] * 2


def test_postmaster_needs_no_domain() -> None:
    """RFC 5321 4.5.1: who runs ours is meant. No other name stands alone."""
    wanted = b"RCPT TO:<PostMaster>\r\n"
    for domain, who in (
        ("", "postmaster@lists.example.org"),
        ("b.example", "postmaster@b.example"),
    ):
        _, ledger = spoken(HELLO, MAIL + wanted, domain=domain)
        assert ledger.judged == [who]
    assert codes(spoken(HELLO, MAIL + b"RCPT TO:<team>\r\n")[0]) == "250 250 501"


def test_lmtp_answers_for_each_recipient() -> None:
    """Behind the dot there is a reply for each recipient that was taken, and 503 where none was."""
    none = b"RCPT TO:<who@example.org>\r\n"
    said, ledger = spoken(
        b"LHLO me\r\n", MAIL + RCPT + none + RCPT + DATA, TEXT + MAIL + none + DATA, lmtp=True
    )
    assert codes(said) == "250 250 250 550 250 354 250 250 250 550 503"
    assert len(ledger.taken) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"FROM:<ada@a.example> SIZE=100", "250"),
        (b"FROM:<> BODY=8BITMIME", "250"),
        (b"from: <ada@a.example> body=7bit size=0", "250"),
        (b'FROM:<"a>b c"@a.example>', "250"),
        (b"FROM:<%s@a.example>" % (b"x" * 200), "250"),
        (b"FROM:<\xc3\xa4@a.example> SMTPUTF8", "250"),
        (b"FROM:<ada@a.example> AUTH=<>", "250"),
        (b"FROM:<\xc3\xa4@a.example>", "553"),
        (b"FROM:<\xff@a.example>", "500"),
        (b"FROM:<ada@a.example> SIZE=25000001", "552"),
        (b"FROM:<ada@a.example> SIZE=-1", "501"),
        (b"FROM:<ada@a.example> SIZE=1 SIZE=2", "501"),
        (b"FROM:<ada@a.example> SMTPUTF8=1", "501"),
        (b"FROM:<ada@a.example> BODY=BINARYMIME", "501"),
        (b"FROM:<ada@a.example> RET=FULL", "555"),
        (b"FROM:<ada@a.example>SIZE=1", "501"),
        (b"FROM:<ada>", "501"),
        (b"FROM:ada@a.example", "501"),
        (b"FROM:<a@b><c@d>", "501"),
        (b"FROM:<a@b.example> a b", "555"),
        (b"TO:<ada@a.example>", "501"),
        (b"", "501"),
    ],
)
def test_the_sender_and_what_follows(line: bytes, told: str) -> None:
    """A path in brackets, the null one too, and parameters that were offered; nothing else."""
    said, _ = spoken(HELLO, b"MAIL " + line + b"\r\n")
    assert codes(said) == f"250 {told}"


def test_nothing_out_of_turn() -> None:
    """Each command has its time."""
    assert codes(spoken(MAIL)[0]) == "503"
    assert codes(spoken(HELLO, RCPT)[0]) == "250 503"
    assert codes(spoken(HELLO, MAIL + MAIL)[0]) == "250 250 503"
    assert codes(spoken(HELLO, DATA)[0]) == "250 503"
    assert codes(spoken(HELLO, MAIL + b"RCPT TO:<x@y.example>\r\n" + DATA)[0]) == "250 250 550 554"
    assert codes(spoken(b"LHLO me\r\n" + b"HELO me\r\n")[0]) == "502 250"
    assert codes(spoken(b"HELO me\r\n", b"MAIL FROM:<> SIZE=1\r\n")[0]) == "250 501"


def test_who_does_not_wait_is_shown_out() -> None:
    """What comes before an answer that must be waited for is neither a mail nor a command."""
    assert codes(spoken(HELLO + MAIL)[0]) == "554"
    assert codes(spoken(HELLO, MAIL + RCPT + DATA + TEXT)[0]) == "250 250 250 554"
    assert codes(spoken(HELLO, DATA + MAIL)[0]) == "250 554"
    said, ledger = spoken(HELLO, b"STARTTLS\r\nMAIL FROM:<>\r\n", HELLO, MAIL, tls=True)
    assert (codes(said), ledger.taken) == ("250 554", [])


def test_tls_forgets_what_was_said() -> None:
    """RFC 3207: neither greeting nor mail nor login outlives the handshake."""
    said, _ = spoken(HELLO, MAIL, b"STARTTLS\r\n", RCPT + MAIL, HELLO, MAIL, tls=True)
    assert codes(said) == "250 250 220 503 503 250 250"
    assert sum("STARTTLS" in line for line in said) == 1


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ([b"AUTH PLAIN " + PLAIN], "235 250"),
        ([b"auth plain", PLAIN], "334 235 250"),
        ([b"AUTH LOGIN", b64encode(b"ada"), b64encode(b"secret")], "334 334 235 250"),
        ([b"AUTH PLAIN " + b64encode(b"\0ada\0wrong")], "535 530"),
        ([b"AUTH PLAIN " + b64encode(b"ada")], "501 530"),
        ([b"AUTH PLAIN =", b"*"], "501 500 530"),
        ([b"AUTH PLAIN", b"\xff"], "334 501 530"),
        ([b"AUTH CRAM-MD5"], "504 530"),
    ],
)
def test_a_login(way: list[bytes], told: str) -> None:
    """PLAIN and LOGIN, and no mail without them where they are wanted."""
    said, _ = spoken(HELLO, *(line + b"\r\n" for line in way), MAIL, login=True, secure=True)
    assert codes(said) == f"250 {told}"


def test_no_password_in_the_clear() -> None:
    """AUTH is offered behind TLS, or to this machine; elsewhere it is refused before a password
    can be sent. Three wrong ones are enough."""
    said, ledger = spoken(HELLO, b"AUTH PLAIN " + PLAIN + b"\r\n", login=True)
    assert (codes(said), ledger.logins) == ("250 538", [])
    assert not any("AUTH" in line for line in said)
    wrong = b"AUTH PLAIN " + b64encode(b"\0ada\0x") + b"\r\n"
    said, _ = spoken(HELLO, *[wrong] * 5, login=True, local=True)
    assert codes(said) == "250 535 535 421"


def test_a_mail_that_is_too_large_is_read_and_forgotten() -> None:
    """It is counted as it comes, refused at its end, and the session goes on; one without an end
    is cut off."""
    body = b"x" * 98 + b"\r\n"
    said, ledger = spoken(HELLO, MAIL + RCPT + DATA, *[body] * 11, b".\r\n" + QUIT, size=1_000)
    assert (codes(said), ledger.taken) == ("250 250 250 354 552 221", [])
    said, _ = spoken(HELLO, MAIL + RCPT + DATA, *[body * 1_000] * 20, size=1_000)
    assert codes(said) == "250 250 250 354 552"


def test_patience_ends() -> None:
    """Errors, and talk without mail, are counted; so are recipients."""
    assert codes(spoken(HELLO, b"NONSENSE\r\n" * 50)[0]) == "250 " + "500 " * ERRORS + "421"
    assert codes(spoken(b"NOOP\r\n" * 500)[0]) == "250 " * (CHATTER + 1) + "421"
    said, ledger = spoken(HELLO, MAIL + RCPT * 101 + DATA, TEXT)
    assert codes(said) == "250 250 " + "250 " * 100 + "452 354 250"
    assert len(ledger.taken[0][0].recipients) == 100
    assert codes(spoken(b"GET / HTTP/1.1\r\nHost: x\r\n")[0]) == "554"
    assert codes(spoken(b"x" * 5_000)[0]) == "500"


WORDS = st.sampled_from(
    [
        *(b"EHLO x", b"HELO", b"LHLO y", b"MAIL FROM:<>", b"MAIL FROM:<a@b.c> SIZE=9", b"RSET"),
        *(b"RCPT TO:<team@example.org>", b"RCPT TO:<\xc3\xa9@b.c>", b"DATA", b"QUIT", b"NOOP x"),
        *(b".", b"..", b"", b"AUTH LOGIN", b"AUTH PLAIN", b"AGFkYQBzZWNyZXQ=", b"STARTTLS", b"*"),
        *(b"Subject: x", b"VRFY a", b"HELP", b"\0", b"RCPT TO:<" + b"(" * 500),
    ]
)
LINES = st.tuples(WORDS, st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b""])).map(b"".join)


@given(
    st.lists(LINES | st.binary(max_size=20), max_size=30),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@example([b"EHLO x\r\n", b"AUTH LOGIN\r\n", b"\xff\r\n"], False, True, False)
def test_no_octets_do_harm(pieces: list[bytes], lmtp: bool, login: bool, whole: bool) -> None:
    """Whatever a client says, the session neither fails nor waits for more than the client, each
    reply is one, and no mail is taken with a bare CR, LF or NUL, or without a recipient."""
    given_ = [b"".join(pieces)] if whole else pieces
    said, ledger = spoken(*given_, lmtp=lmtp, login=login, secure=True, tls=True)
    assert all(REPLY.fullmatch(line) for line in said), said
    for envelope, data in ledger.taken:
        assert envelope.recipients
        plain = data.replace(b"\r\n", b"")
        assert not any(each in plain for each in (b"\r", b"\n", b"\0"))
