"""Real and broken mail: every file of the corpora is delivered, held or parked, with a reason."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.service import connect
from schemas.road import MailReceived, MailStopped, Parked, PostRouted
from tests.e2e.system import MAILBOX, Result, imap_source, postroad, smtp_relay, until, world
from tests.peers.dovecot import Dovecot
from tests.peers.postfix import Postfix
from tests.peers.process import Daemon
from tests.peers.sink import Sink

FULL = os.environ.get("POSTROAD_CHAOS") == "all"
FOLDERS = ("spamassassin", "mime4j", "mikel", "stalwart", "dsn")
LONGEST_LINE = 998  # octets: RFC 5321 section 4.5.3.1.6
MEMBERS = ("anna@example.net", "bert@example.com", "carla@example.org")


def corpus_files(corpora: Path) -> list[Path]:
    """Every mail of the corpora."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((corpora / folder).rglob("*"))
        if path.is_file()
        and path.suffix not in (".md", ".txt.license")
        and "LICENSE" not in path.name
    ]


def canonical(data: bytes) -> bytes:
    """Every line end CRLF: how mail looks on the wire."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


async def _events(broker: Broker, stream: str, subject: str) -> list[object]:
    return [
        event async for stored in broker.scan(stream, subject) for event in stored.envelope().events
    ]


async def judge(broker: Broker, sink: Sink, count: int, members: int = len(MEMBERS)) -> str:
    """Read the books: each of `count` mails came to an end with a reason, no bug parked any, and
    every copy has the body of its original. Returns the figures in words."""
    received = [
        e
        for e in await _events(broker, "RECEIVED", "mail.received.>")
        if isinstance(e, MailReceived)
    ]
    assert len(received) == count
    routed = await _events(broker, "ROUTED", "mail.routed.>")
    posts = [e for e in routed if isinstance(e, PostRouted)]
    stopped = [e for e in routed if isinstance(e, MailStopped)]
    assert all(e.hits and all(hit.rule and hit.reason for hit in e.hits) for e in stopped)
    letters = await _events(broker, "DEADLETTER", "deadletter.>")
    parked = [e for e in letters if isinstance(e, Parked)]
    assert [letter for letter in parked if letter.family == "bug"] == []
    decided = {e.mail_id for e in posts} | {e.mail_id for e in stopped}
    assert decided <= {e.mail_id for e in received}
    assert len(decided) + len(parked) == count

    records = await sink.wait_for(len(posts) * members, 60)
    copies = Counter(record.trace for record in records)
    assert set(copies) == {post.mail_id for post in posts}
    assert set(copies.values()) == {members}
    refs = {event.mail_id: event.raw for event in received}
    for record in records:
        ref = refs[record.trace]
        body = canonical((await get_raw(broker, ref))[ref.head :])
        sent = await asyncio.to_thread(Path(record.file).read_bytes)
        ending = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
        if max(map(len, ending.split(b"\r\n"))) > LONGEST_LINE:  # broken, and nothing else
            ending, sent = ending.replace(b"\r\n", b""), sent.replace(b"\r\n", b"")
        assert sent.endswith(ending), record.trace
    assert not sink.violations()
    return (
        f"{count} mails: {len(posts)} delivered to {members} members each, "
        f"{len(stopped)} stopped by a rule, {len(parked)} parked"
    )


async def _round_trips(broker: Broker, files: list[Path]) -> None:
    """What is kept of the mails is what they were, octet for octet but for line ends, which IMAP
    makes CRLF."""
    received = await _events(broker, "RECEIVED", "mail.received.>")
    kept = Counter(
        [canonical(await get_raw(broker, e.raw)) for e in received if isinstance(e, MailReceived)]
    )
    assert kept == Counter(canonical(_labelled(path)) for path in files)


def _labelled(path: Path) -> bytes:
    return b"Delivered-To: team@example.org\r\n" + path.read_bytes()


@pytest.mark.timeout(240)
async def test_every_mail_comes_to_an_end_with_a_reason(tmp_path: Path, corpora: Path) -> None:
    """Whatever its bytes, a mail is received once and then delivered unaltered to everybody, or
    stopped by a rule with a reason, or parked; nothing is lost and nothing fails by a bug."""
    files = corpus_files(corpora)
    source = {"recipient_headers": '["Delivered-To"]', "max_size": '"50MB"'}
    async with world(tmp_path, keep=True, source=source) as here:
        await here.road.make_list("team@example.org", MEMBERS)
        for path in files:
            here.post(_labelled(path))
        await here.road.settled(len(files), 150)
        assert await here.waiting() == 0
        await _round_trips(here.road.broker, files)
        print("\n" + await judge(here.road.broker, here.sink, len(files)))


EVERYTHING = {
    "filter_content": "true",
    "pass_types": "text multipart image/gif",
    "convert_html_to_plaintext": "true",
    "filter_action": "reject",
    "header_matches": "x-spam-status: ^yes: hold",
    "bans": "^.*@banned\\.example",
    "discard_these_nonmembers": "nobody@example.net ^spam.*",
    "require_explicit_destination": "true",
    "acceptable_aliases": "^.*[a-m]$ ^.*[^a-m]$",
    "max_message_size": "200",
    "no_subject_action": "reject",
    "reply_goes_to_list": "point_to_list",
    "dmarc_mitigate_unconditionally": "true",
    "header": "$display_name, to $user_email",
    "footer": "Grüße\\n$unsubscribe",
}


@pytest.mark.timeout(240)
async def test_every_rule_looks_at_every_mail(tmp_path: Path, corpora: Path) -> None:
    """At a list with all rules on, that takes parts off, puts lines in and munges From, each mail
    still comes to an end with a reason, none by a bug, and what is kept of it is what it was."""
    files = corpus_files(corpora)
    source = {"recipient_headers": '["Delivered-To"]', "max_size": '"50MB"'}
    async with world(tmp_path, keep=True, source=source) as here:
        await here.road.make_list("team@example.org", MEMBERS[:1], **EVERYTHING)
        for path in files:
            here.post(_labelled(path))
        await here.road.settled(len(files), 150)
        await _round_trips(here.road.broker, files)
        letters = await _events(here.road.broker, "DEADLETTER", "deadletter.>")
        assert letters == []
        routed = await _events(here.road.broker, "ROUTED", "mail.routed.>")
        posts = [e for e in routed if isinstance(e, PostRouted)]
        stopped = [e for e in routed if isinstance(e, MailStopped)]
        assert len(posts) + len(stopped) == len(files)
        assert all(each.hits for each in stopped)
        assert posts
        records = await here.sink.wait_for(len(posts), 60)
        assert Counter(record.trace for record in records) == Counter(e.mail_id for e in posts)
        assert not here.sink.violations()
        print(f"\n{len(files)} mails: {len(posts)} delivered, {len(stopped)} stopped by a rule")


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_the_same_through_up_and_a_real_postfix(tmp_path: Path, corpora: Path) -> None:
    """`postroad up` on one settings file, between a Dovecot mailbox and a Postfix relay, does
    the same unattended, and `postroad status` says that it is healthy. All mails in `make chaos`,
    else a sample."""
    files = corpus_files(corpora)[:: 1 if FULL else 4]
    async with (
        Dovecot.start({MAILBOX: "secret"}) as dovecot,
        Sink.start(keep=True) as sink,
        # it would break lines of more than 998 octets its own way, and find none
        Postfix.start(f"smtp:[127.0.0.1]:{sink.port}") as postfix,
    ):
        password = tmp_path / "password"
        password.write_text("secret")
        password.chmod(0o600)
        config = tmp_path / "postroad.toml"
        config.write_text(
            '[site]\ndomain = "example.org"\n'
            + imap_source(dovecot.port, MAILBOX, password, recipient_headers='["Delivered-To"]')
            + smtp_relay(postfix.port)
        )

        async def command(*words: str) -> Result:
            return await postroad(*words, "--config", str(config))

        made = await command(
            *("list", "create", "team@example.org", "default_nonmember_action=accept"),
            "require_explicit_destination=false",
        )
        assert made.code == 0, made.err
        added = await command("member", "add", "team@example.org", *MEMBERS, "--confirmed")
        assert added.code == 0, added.err
        async with Daemon(
            (sys.executable, "-m", "postroad.cli", "up", "--config", str(config)),
            [],
            tmp_path / "log",
        ):
            for path in files:
                dovecot.deliver(MAILBOX, _labelled(path))

            async def done() -> bool:
                told = await command("status", "--json")
                flagged = await asyncio.to_thread(dovecot.mails, MAILBOX)
                return (
                    told.code == 0
                    and all("\\Seen" in mail.flags for mail in flagged)
                    and not any(stage["lag"] or stage["pending"] for stage in told.json["stages"])
                )

            await until(done, "everything is sent and the road is healthy", 150)
            async with await connect(Config.load(config, {}), "test") as broker:
                print("\n" + await judge(broker, sink, len(files)))
