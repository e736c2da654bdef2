"""Real and broken mail: every file of the corpora is delivered, held or parked, with a reason."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from schemas.road import MailReceived, MailStopped, MailUnrouted, Parked, PostRouted
from tests.e2e.system import World, world

FOLDERS = ("spamassassin", "mime4j", "mikel", "stalwart")
MEMBERS = ("anna@example.net", "bert@example.com", "carla@example.org")


def _files(corpora: Path) -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for path in sorted((corpora / folder).rglob("*"))
        if path.is_file()
        and path.suffix not in (".md", ".txt.license")
        and "LICENSE" not in path.name
    ]


def _canonical(data: bytes) -> bytes:
    """Every line end CRLF: how mail looks on the wire."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


async def _events(here: World, stream: str, subject: str) -> list[object]:
    return [
        event
        async for stored in here.road.broker.scan(stream, subject)
        for event in stored.envelope().events
    ]


@pytest.mark.timeout(240)
async def test_every_mail_comes_to_an_end_with_a_reason(tmp_path: Path, corpora: Path) -> None:
    """Whatever its bytes, a mail is received once and then delivered unaltered to everybody, or
    stopped by a rule with a reason, or parked; nothing is lost and nothing fails by a bug."""
    files = _files(corpora)
    async with world(
        tmp_path, keep=True, source={"recipient_headers": '["Delivered-To"]', "max_size": '"50MB"'}
    ) as here:
        await here.road.make_list("team@example.org", MEMBERS)
        originals = {}
        for path in files:
            data = b"Delivered-To: team@example.org\r\n" + path.read_bytes()
            originals[hashlib.sha256(_canonical(data)).hexdigest()] = data
            here.post(data)
        await here.road.settled(len(files), 150)
        assert await here.waiting() == 0

        received = [
            e
            for e in await _events(here, "RECEIVED", "mail.received.>")
            if isinstance(e, MailReceived)
        ]
        assert len(received) == len(files)
        posts: list[PostRouted] = []
        stopped: list[MailStopped] = []
        others: list[MailUnrouted] = []
        for event in await _events(here, "ROUTED", "mail.routed.>"):
            match event:
                case PostRouted():
                    posts.append(event)
                case MailStopped():
                    stopped.append(event)
                    assert event.hits
                    assert all(hit.rule and hit.reason for hit in event.hits)
                case MailUnrouted():
                    others.append(event)
        letters = [
            e for e in await _events(here, "DEADLETTER", "deadletter.>") if isinstance(e, Parked)
        ]
        assert [letter for letter in letters if letter.family == "bug"] == []
        decided = {e.mail_id for e in posts} | {e.mail_id for e in stopped}
        decided |= {e.mail_id for e in others}
        assert decided <= {e.mail_id for e in received}
        assert len(decided) + len(letters) == len(files)

        records = here.sink.records()
        copies = Counter(record.trace for record in records)
        assert set(copies) == {post.mail_id for post in posts}
        assert set(copies.values()) == {len(MEMBERS)}
        head = {event.mail_id: event.raw for event in received}
        for record in records:
            ref = head[record.trace]
            raw = b"".join(
                [m.data async for m in here.road.broker.scan("RAW", f"raw.{ref.mail_id}.0.*")]
            )
            body = _canonical(raw[ref.head :])
            sent = await asyncio.to_thread(Path(record.file).read_bytes)
            ending = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
            assert sent.endswith(ending), record.trace
        assert not here.sink.violations()
        print(
            f"\n{len(files)} mails: {len(posts)} delivered to {len(MEMBERS)} members each, "
            f"{len(stopped)} stopped by a rule, {len(others)} for no list, {len(letters)} parked"
        )
