"""The sink as a witness: what it writes down, and that it errs exactly as its script says."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from pathlib import Path

import aiosmtplib
import pytest

from tests.peers.sink import Rule, Script, Sink

BODY = b"Good day.\r\n..dots\r\n.\r\n"
MAIL = b"Message-ID: <1@x>\r\nList-Id: Team\r\n <team.x>\r\nX-Postroad-Trace: abc\r\n\r\n" + BODY
STUFFED = MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n"
ENVELOPE = b"MAIL FROM:<a@x> BODY=8BITMIME\r\nRCPT TO:<b@x>\r\nDATA\r\n"
COMMAND = re.compile(rb"^(?:EHLO|MAIL|RCPT|DATA|RSET|NOOP)\b", re.MULTILINE)


async def talk(port: int, *groups: bytes) -> list[str]:
    """Send groups of commands, each when the one before it is answered; the codes of all final
    replies, the greeting's first. Ends when the groups do or the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    codes: list[str] = []
    expected = 1
    async with asyncio.timeout(10):
        for group in (*groups, b""):
            while len(codes) < expected and (line := await reader.readline()):
                codes += [line[:3].decode()] if line[3:4] == b" " else []
            if len(codes) < expected:
                break
            writer.write(group)
            expected += len(COMMAND.findall(group)) + (b"\r\n" + group).count(b"\r\n.\r\n")
    writer.close()
    return codes


async def post(sink: Sink, *recipients: str) -> None:
    """Post one mail with aiosmtplib."""
    await aiosmtplib.send(
        MAIL, sender="a@x", recipients=list(recipients), hostname="127.0.0.1", port=sink.port
    )


async def test_an_accepted_mail_is_written_down() -> None:
    """The record names envelope, digests and identifying header fields of the unstuffed mail."""
    async with Sink.start(keep=True) as sink:
        assert await talk(sink.port, b"EHLO me\r\n", ENVELOPE, STUFFED) == [
            *("220", "250", "250", "250", "354", "250")
        ]
        [record] = sink.records()
        kept = await asyncio.to_thread(Path(record.file).read_bytes)
    assert (record.helo, record.sender, record.recipients) == ("me", "a@x", ("b@x",))
    assert (record.parameters, record.size) == ("BODY=8BITMIME", len(MAIL))
    assert record.sha256 == hashlib.sha256(MAIL).hexdigest()
    assert record.body_sha256 == hashlib.sha256(BODY).hexdigest()
    assert (record.message_id, record.list_id, record.trace) == ("<1@x>", "team.x", "abc")
    assert record.headers.encode() == MAIL.partition(b"\r\n\r\n")[0]
    assert kept == MAIL


@pytest.mark.parametrize("mail", [b"", b".\r\n", b"\r\nbody\r\n", b"no: body\r\n", b"\xff\x00\r\n"])
async def test_any_data_is_unstuffed_exactly(mail: bytes) -> None:
    """Empty mail, a dot in the first line and octets of any value come through as sent."""
    stuffed = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    async with Sink.start() as sink:
        await talk(sink.port, b"EHLO me\r\n", ENVELOPE, stuffed)
        [record] = sink.records()
    assert (record.size, record.sha256) == (len(mail), hashlib.sha256(mail).hexdigest())


async def test_a_record_is_there_before_the_reply() -> None:
    """When the client reads 250, the record stands in the file."""
    async with Sink.start() as sink:
        for count in range(1, 20):
            await post(sink, "b@x")
            assert len(sink.records()) == count


async def test_a_pipelined_group_is_answered_in_order() -> None:
    """Several transactions in one segment, each mail followed by the next MAIL (RFC 2920)."""
    async with Sink.start() as sink:
        group = ENVELOPE[:-6] + b"RCPT TO:<c@x>\r\nDATA\r\n"
        codes = await talk(sink.port, b"EHLO me\r\n", group, STUFFED + group, STUFFED)
        assert codes[2:] == 2 * ["250", "250", "250", "354", "250"]
        assert [record.recipients for record in sink.records()] == 2 * [("b@x", "c@x")]
        assert not sink.violations()


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"]
)
async def test_only_crlf_dot_crlf_ends_the_data(end: bytes) -> None:
    """Smuggled ends of data stay part of the one mail, and are written down as broken rules."""
    async with Sink.start() as sink:
        await talk(sink.port, b"EHLO me\r\n", ENVELOPE, b"one" + end + b"two\r\n.\r\n")
        [record] = sink.records()
        dot = end.startswith(b"\r\n.")  # unstuffed
        assert record.size == len(b"one" + end + b"two\r\n") - dot
        assert [broken.violation for broken in sink.violations()] == ["bare CR or LF in the data"]


async def test_broken_rules_are_written_down() -> None:
    """Bare LF in a command, sending ahead of DATA's reply, 8-bit data without BODY=8BITMIME."""
    async with Sink.start() as sink:
        await talk(sink.port, b"EHLO me\n", b"EHLO me\r\n", b"NOOP\r\nNOOP\r\n")
        plain = ENVELOPE.replace(b" BODY=8BITMIME", b"")
        await talk(sink.port, b"EHLO me\r\n", plain, b"\xff\r\n.\r\n")
        assert [broken.violation for broken in sink.violations()] == [
            "bare CR or LF in a command",
            "sent ahead behind NOOP",
            "8-bit data without BODY=8BITMIME",
        ]


async def test_pipelining_without_an_offer_is_a_broken_rule() -> None:
    """Where PIPELINING is not offered, a group is answered but written down."""
    async with Sink.start(Script(extensions=("8BITMIME",))) as sink:
        await talk(sink.port, b"EHLO me\r\n", ENVELOPE, STUFFED)
        assert [broken.violation for broken in sink.violations()] == [
            "sent ahead behind MAIL without an offer of PIPELINING",
            "sent ahead behind RCPT without an offer of PIPELINING",
        ]


async def test_a_server_that_lies_about_pipelining_answers_the_first_command_only() -> None:
    """`discards` drops what stands behind a command in the same segment."""
    async with Sink.start(Script(discards=True)) as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        await reader.readline()
        writer.write(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
        assert (await reader.readline())[:3] == b"250"
        writer.write(b"QUIT\r\n")
        assert (await reader.read())[:3] == b"221"
        writer.close()


async def test_recipients_are_refused_by_pattern_and_for_a_while() -> None:
    """550 for a pattern; greylisting is 450 for the first time each recipient is named."""
    rules = (
        Rule(at="rcpt", match="^bad", reply="550 5.1.1 no"),
        Rule(at="rcpt", per="subject", times=1, reply="450 4.2.0 later"),
    )
    async with Sink.start(Script(rules=rules)) as sink:
        group = b"MAIL FROM:<>\r\nRCPT TO:<bad@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRSET\r\n"
        codes = await talk(sink.port, b"EHLO me\r\n", group, group)
    assert codes[2:] == ["250", "550", "450", "450", "250", "250", "550", "250", "250", "250"]


async def test_421_after_some_transactions() -> None:
    """Each connection gets so many transactions, then 421 and the end."""
    bye = Rule(at="mail", per="connection", after=1, reply="421 4.3.2 bye", close=True)
    async with Sink.start(Script(rules=(bye,))) as sink:
        for _ in range(2):
            codes = await talk(sink.port, b"EHLO me\r\n", ENVELOPE, STUFFED, ENVELOPE)
            assert codes[-2:] == ["250", "421"]
        assert len(sink.records()) == 2


@pytest.mark.parametrize(
    ("rule", "recorded", "last"),
    [
        (Rule(at="dot", close=True), 0, "354"),
        (Rule(at="dot", close=True, record=True), 1, "354"),
        (Rule(at="body", close=True), 0, "354"),
        (Rule(at="data", close=True), 0, "250"),
        (Rule(at="rcpt", close=True), 0, "250"),
        (Rule(at="dot", reply="451 4.3.0 later"), 0, "451"),
        (Rule(at="dot", reply="451 4.3.0 later", record=True), 1, "451"),
    ],
)
async def test_the_connection_is_cut_where_the_script_says(
    rule: Rule, recorded: int, last: str
) -> None:
    """Before or after the mail is recorded, in its midst, or at a command."""
    async with Sink.start(Script(rules=(rule,))) as sink:
        codes = await talk(sink.port, b"EHLO me\r\n", ENVELOPE, STUFFED)
        assert codes[-1] == last
        assert len(sink.records()) == recorded


async def test_split_multiline_and_late_replies_are_still_replies() -> None:
    """A client that reads replies properly does not notice how they come."""
    async with Sink.start(Script(split=True, lines=3, delay=0.01)) as sink:
        await post(sink, "b@x")
        assert len(await sink.wait_for(1)) == 1


async def test_no_reply_at_all() -> None:
    """An empty reply leaves the client waiting on an open connection."""
    async with Sink.start(Script(rules=(Rule(at="dot", reply=""),))) as sink:
        smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=sink.port, timeout=0.3)
        await smtp.connect()
        with pytest.raises(aiosmtplib.SMTPTimeoutError):
            await smtp.sendmail("a@x", ["b@x"], MAIL)
        smtp.close()


async def test_the_script_can_change_while_the_sink_runs() -> None:
    """A new script counts from the next MAIL on, with fresh counters."""
    once = Script(rules=(Rule(at="mail", times=1, reply="451 4.3.0 later"),))
    mail = b"MAIL FROM:<>\r\n"
    async with Sink.start(once) as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        await reader.readline()
        for script, code in ((None, b"451"), (None, b"250"), (once, b"451"), (Script(), b"250")):
            if script:
                sink.tell(script)
            writer.write(mail)
            assert (await reader.readline())[:3] == code
            writer.write(b"RSET\r\n")
            await reader.readline()
        writer.close()


async def test_too_big_a_mail_is_refused() -> None:
    """SIZE is enforced on what MAIL declares and on what comes."""
    async with Sink.start(Script(extensions=("SIZE 10",))) as sink:
        declared = b"MAIL FROM:<> SIZE=11\r\n"
        codes = await talk(sink.port, b"EHLO me\r\n", declared, ENVELOPE, STUFFED)
        assert codes[2:] == ["552", "250", "250", "354", "552"]
        assert not sink.records()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_and_passwords(tls: str) -> None:
    """STARTTLS or TLS from the start under a certificate for localhost; AUTH before MAIL."""
    async with Sink.start(Script(users={"me": "secret"}), tls=tls) as sink:
        assert sink.certificate is not None
        trust = ssl.create_default_context(cafile=str(sink.certificate.cert))
        smtp = aiosmtplib.SMTP(
            hostname="localhost",
            port=sink.port,
            tls_context=trust,
            use_tls=tls == "implicit",
            start_tls=tls == "starttls",
        )
        async with smtp:
            with pytest.raises(aiosmtplib.SMTPSenderRefused):
                await smtp.sendmail("a@x", ["b@x"], MAIL)
            for mechanism in (smtp.auth_plain, smtp.auth_login):
                with pytest.raises(aiosmtplib.SMTPAuthenticationError):
                    await mechanism("me", "wrong")
                await mechanism("me", "secret")
            await smtp.sendmail("a@x", ["b@x"], MAIL)
        assert len(sink.records()) == 1


async def test_records_survive_a_killed_client_and_a_torn_line() -> None:
    """A line that is still being written is not read."""
    async with Sink.start() as sink:
        await post(sink, "b@x")
        with sink.file.open("ab") as file:
            file.write(b'{"time": 1')
        assert len(sink.records()) == 1
