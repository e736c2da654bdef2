"""A provider's URL as a relay: what is posted, and what each answer means."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.mail import wire
from postroad.runtime.config import Relay
from services.sender.httprelay import DEFAULT, Poster, Timeouts, connect
from services.sender.relay import RelayError
from services.sender.replies import classify
from services.sender.transaction import SENDING, Result, Transaction
from tests.peers.certificate import self_signed
from tests.peers.httpscript import CUT, HALF, SILENCE, HttpScript

TOKEN = "s3cr3t-of-the-provider"
MAIL = b"Subject: x\r\n\r\n.dot\r\nplain\r\n"
PIECES = (b"Subject: x\r\n\r\n", b"..dot\r\nplain\r\n")


def mails(count: int, *, data: tuple[bytes, ...] = PIECES) -> list[Transaction]:
    """So many one-recipient transactions."""
    return [
        Transaction(f"s{n}@lists.example", [f"r{n}@example.org"], data, f"team.{n}.7")
        for n in range(count)
    ]


@contextlib.asynccontextmanager
async def posting(
    server: HttpScript, token_file: Path | None = None, timeouts: Timeouts = DEFAULT
) -> AsyncIterator[Poster]:
    """A connection to the server for the length of the block."""
    relay = Relay(kind="http", url=server.url, token_file=token_file)
    poster = await connect(relay, timeouts)
    try:
        yield poster
    finally:
        await poster.close()


def told(results: list[Result]) -> list[str]:
    """Each result in a word: scope and kind of its refusal, `taken`, `doubt` or `untried`."""
    words = []
    for result in results:
        reply = result.recipients[0]
        if reply is None:
            words.append("doubt" if result.lost else "untried")
        elif reply.accepted:
            words.append("taken")
        else:
            verdict = classify(reply)
            words.append(f"{verdict.scope} {verdict.kind}")
    return words


async def test_what_is_posted(tmp_path: Path) -> None:
    """The mail as it is, without dots of SMTP; the envelope and the token beside it; one
    connection for all."""
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    async with HttpScript.start() as server, posting(server, secret) as poster:
        shared = Transaction("b@lists.example", ["a@x.example", "é@x.example"], PIECES, "p")
        assert told(await poster.send([*mails(1), shared])) == ["taken", "taken"]
        first, second = server.requests
        assert first.line == "POST /v1/send HTTP/1.1"
        assert first.body == MAIL
        assert first.fields["content-type"] == "message/rfc822"
        assert first.fields["authorization"] == f"Bearer {TOKEN}"
        assert first.fields["x-envelope-from"] == "<s0@lists.example>"
        to = second.fields["x-envelope-to"].encode("latin-1").decode()
        assert to == "<a@x.example>, <é@x.example>"
        assert server.connections == 1


async def test_a_copy_has_one_key_in_every_try() -> None:
    """The same copy posted again has the same Idempotency-Key, and no other copy has it."""
    async with HttpScript.start() as server, posting(server) as poster:
        await poster.send(mails(2))
        await poster.send(mails(1))
        keys = [request.fields["idempotency-key"] for request in server.requests]
        assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        ("200 OK", "taken"),
        ("202 Accepted | {}", "taken"),
        ("204 No Content", "taken"),
        ("400 Bad Request | no such field", "message failed"),
        ("401 Unauthorized", "relay failed"),
        ("402 Payment Required", "relay failed"),
        ("403 Forbidden", "relay failed"),
        ("404 Not Found", "relay failed"),
        ("408 Request Timeout", "relay deferred"),
        ("413 Content Too Large", "message failed"),
        ("422 Unprocessable Content", "message failed"),
        ("429 Too Many Requests", "relay deferred"),
        ("431 Request Header Fields Too Large", "relay failed"),
        ("500 Internal Server Error", "message deferred"),
        ("502 Bad Gateway", "doubt"),
        ("503 Service Unavailable", "relay deferred"),
        ("504 Gateway Timeout", "doubt"),
        ("400 Bad Request | Daily sending limit exceeded", "relay deferred"),
        ("307 Elsewhere\r\nLocation: http://127.0.0.1:1/", "relay failed"),
        (CUT, "doubt"),
        (HALF, "untried"),
        (SILENCE, "doubt"),
    ],
)
async def test_what_an_answer_means(answer: str, means: str) -> None:
    """2xx is taken; what is about the mail is the mail's; what is about us, the account or the
    rate leaves everybody pending, and nothing is posted behind it; no answer to a whole request is
    in doubt."""
    data = (b"x" * 900 + b"\r\n",) * 20_000 if answer == HALF else PIECES
    limits = Timeouts(final=0.3 if answer == SILENCE else 20)
    async with HttpScript.start([answer]) as server, posting(server, timeouts=limits) as poster:
        first, second = told(await poster.send(mails(2, data=data)))
        assert first == means
        goes_on = means == "taken" or means.startswith("message")
        assert second == ("taken" if goes_on else "untried")
        assert bool(poster.fault) != goes_on
        assert len(server.requests) == (2 if goes_on else answer != HALF)


async def test_a_journal_hears_of_a_mail_before_it_is_whole() -> None:
    """What may be taken is told before the last octets are written, and the answer when it comes:
    a process that dies in between knows whom it has to doubt."""
    told: list[tuple[tuple[int, ...], int, int]] = []
    async with HttpScript.start(["200 OK", CUT]) as server, posting(server) as poster:

        def record(recipients: Iterable[int], code: int) -> None:
            told.append((tuple(recipients), code, len(server.requests)))

        copies = [replace(each, record=record) for each in mails(2)]
        await poster.send(copies)
    assert told == [((0,), SENDING, 0), ((0,), 250, 1), ((0,), SENDING, 1)]


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("7", 7, 7),
        ("999999999999", 3600, 3600),
        ("soon", 0, 0),
        ("Fri, 20 Nov 2020 12:00:00 GMT", 0, 0),
        ("Fri, 20 Nov 2120 12:00:00 GMT", 3600, 3600),
    ],
)
async def test_retry_after_is_heard(field: str, least: float, most: float) -> None:
    """A provider says for how long it wants nothing, in seconds or as a date; an hour at most."""
    answer = f"429 Too Many Requests\r\nRetry-After: {field}"
    async with HttpScript.start([answer]) as server, posting(server) as poster:
        await poster.send(mails(1))
        assert least <= poster.pause <= most


async def test_no_secret_and_no_address_is_repeated(tmp_path: Path) -> None:
    """A provider that repeats our token and the recipient in its answer does not bring them into
    a log."""
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    answer = f'403 Forbidden | {{"token": "{TOKEN}", "to": "r0@example.org", "id": 17}}'
    async with HttpScript.start([answer]) as server, posting(server, secret) as poster:
        (result,) = await poster.send(mails(1))
        said = f"{result.recipients[0]} {poster.fault}"
        assert "id" in said
        assert "17" in said
        assert TOKEN not in said
        assert "r0@" not in said


async def test_nobody_answers_there() -> None:
    """A provider that cannot be reached has nothing of ours: everybody is untried."""
    async with HttpScript.start() as server:
        pass
    async with posting(server) as poster:
        assert told(await poster.send(mails(2))) == ["untried", "untried"]
        assert poster.fault == "cannot be reached (Connection refused): check url"


async def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    """TLS is verified: to a server with a certificate of its own making nothing is sent, and
    somebody must act."""
    made = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.cert, made.key)
    async with HttpScript.start(tls=tls) as server, posting(server) as poster:
        assert told(await poster.send(mails(2))) == ["relay failed", "untried"]
        assert "certificate that cannot be trusted" in poster.fault
        assert not server.requests


async def test_a_certificate_of_ones_own_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names an authority to trust, as for every other relay."""
    made = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.cert, made.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.cert))
    async with HttpScript.start(tls=tls) as server:
        relay = Relay(kind="http", url=server.url.replace("127.0.0.1", "localhost"))
        poster = await connect(relay)
        assert told(await poster.send(mails(1))) == ["taken"]
        await poster.close()


async def test_a_large_mail_arrives_whole() -> None:
    """20 MB leave in blocks, with their length said before."""
    data = b"." + b"y" * 76 + b"\r\n"
    large = (wire.dot_stuff(data * 250_000),)
    async with HttpScript.start() as server, posting(server) as poster:
        assert told(await poster.send(mails(1, data=large))) == ["taken"]
        assert server.requests[0].body == data * 250_000


@pytest.mark.parametrize("content", ["two words", "line\nbreak", "ключ"])
async def test_a_token_that_is_none(tmp_path: Path, content: str) -> None:
    """A file that cannot be a token is told at once, and never put into a header."""
    secret = tmp_path / "token"
    secret.write_text(content)
    with pytest.raises(RelayError, match="check token_file") as error:
        await connect(Relay(kind="http", url="http://127.0.0.1/", token_file=secret))
    assert content not in str(error.value)
