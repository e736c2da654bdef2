"""Real and broken mail by every kind of source, each filled or fed by a program others wrote.

Dovecot serves it by POP3, and by LMTP it fills a Maildir; Postfix brings it by LMTP and by SMTP,
and starts a program for each mail. (IMAP: tests/e2e/test_corpora_down_the_road.py.) Here a sample
of the corpora, and all of them with `make chaos`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import smtplib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from postroad.mail.fields import fields
from postroad.runtime.blobs import get_raw
from schemas.road import MailReceived
from tests.e2e.sockets import source
from tests.e2e.system import System, smtp_relay, until
from tests.e2e.test_corpora_down_the_road import canonical, corpus_files, judge
from tests.e2e.test_mail_take import take
from tests.peers.door import Door
from tests.peers.dovecot import Dovecot, require_pop3
from tests.peers.postfix import Postfix
from tests.peers.process import directory, free_port
from tests.peers.sink import Sink

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
SAMPLE = random.Random(20_261_121)
MAILS, PROGRAMS = (None, None) if FULL else (24, 4)  # of a door; each program takes half a second
DOORS = ("pop3", "maildir", "lmtp", "smtp", "pipe")
MAILBOX, FILLED = "box@example.net", "filled@example.net"
WITNESS = "eva@witness.example"  # whose copy says what Postfix makes of a mail
WHOLE = {"lmtp_line_length_limit": "0", "smtp_line_length_limit": "0", "hopcount_limit": "1000"}


@dataclass
class Doors:
    """The road, and the peers at its doors."""

    road: System
    dovecot: Dovecot
    postfix: Postfix
    door: Door
    relay: Sink
    witness: Sink

    async def received(self) -> dict[str, list[bytes]]:
        """What each source took, without what it puts before it."""
        found: dict[str, list[bytes]] = {kind: [] for kind in DOORS}
        async for stored in self.road.broker.scan("RECEIVED", "mail.received.>"):
            for event in stored.envelope().events:
                assert isinstance(event, MailReceived)
                data = await get_raw(self.road.broker, event.raw)
                if event.origin.source in ("lmtp", "smtp"):
                    trace = next(fields(data))
                    data = data[: trace.start] + data[trace.end :]
                found[event.origin.source].append(data)
        return found

    async def witnessed(self, number: int) -> list[bytes]:
        """What Postfix makes of the mails: another server gets the same from the same queue."""
        files: list[str] = []

        async def all_() -> bool:
            told = await asyncio.to_thread(self.witness.records)
            files[:] = [each.file for each in told if each.recipients == (WITNESS,)]
            return len(files) == number

        await until(all_, "Postfix has passed on all mails", 300)
        return [await asyncio.to_thread(Path(file).read_bytes) for file in files]


@contextlib.asynccontextmanager
async def _doors(home: Path) -> AsyncIterator[Doors]:
    """A list behind each kind of source, with one member each."""
    ports = {"lmtp": free_port(), "smtp": free_port()}
    password = home / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        users = {MAILBOX: "secret", FILLED: "secret"}
        dovecot = await enter(Dovecot.start(users))
        assert dovecot.lmtp_port, "LMTP is missing: install the Debian package dovecot-lmtpd"
        relay, witness = await enter(Sink.start(keep=True)), await enter(Sink.start(keep=True))
        settings = _sources(dovecot, ports, password) + smtp_relay(relay.port)
        road = await enter(System.start(home, settings))
        for kind in DOORS:
            await road.make_list(f"{kind}@example.org", ["anna@example.net"])

        async def run(words: Sequence[str], _: Mapping[str, str], data: bytes) -> tuple[int, str]:
            return await take(road.config, data, *words)

        place = stack.enter_context(directory("door"))
        place.chmod(0o755)
        door = await enter(Door.open(place, run))
        routes = {
            "lmtp@example.org": f"lmtp:inet:127.0.0.1:{ports['lmtp']}",
            "smtp@example.org": f"smtp:[127.0.0.1]:{ports['smtp']}",
            "pipe@example.org": "take:",
        }
        maps = " ".join(f"{{{address}={route}}}" for address, route in routes.items())
        service = (
            "take unix - n n - 4 pipe\n  flags=q null_sender= user=nobody\n"
            f"  argv={door.script} --sender=${{sender}} --recipient=${{recipient}}\n"
        )
        main = {**WHOLE, "transport_maps": f"inline:{{{maps}}}"}
        hop = f"smtp:[127.0.0.1]:{witness.port}"
        postfix = await enter(Postfix.start(hop, main, services=service))
        yield Doors(road, dovecot, postfix, door, relay, witness)


def _sources(dovecot: Dovecot, ports: Mapping[str, int], password: Path) -> str:
    """One [[source]] of each kind, named for it."""
    pop3 = {
        "host": '"127.0.0.1"',
        "tls": '"none"',
        "user": f'"{MAILBOX}"',
        "password_file": f'"{password}"',
        "list": '"pop3@example.org"',
        "start": '"all"',
        "after": '"delete"',
        "poll": '"1s"',
    }
    maildir = {
        "path": f'"{dovecot.maildir(FILLED)}"',
        "list": '"maildir@example.org"',
        "start": '"all"',
    }
    parts = [source("pop3", require_pop3(dovecot), **pop3, name='"pop3"')]
    parts.append(source("maildir", 0, **maildir, name='"maildir"').replace("port = 0\n", ""))
    parts += [
        source(kind, port, verdict='"later"', name=f'"{kind}"') for kind, port in ports.items()
    ]
    parts.append('[[source]]\nname = "pipe"\nkind = "pipe"\n')
    return "".join(each + 'max_size = "50MB"\n' for each in parts)


def _post(port: int, mails: Sequence[bytes], programs: int) -> None:
    """Give mails to Postfix, one for all its doors; the program is for some of them."""
    doors = ["lmtp@example.org", "smtp@example.org", WITNESS]
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number, data in enumerate(mails):
            to = [*doors, *(["pipe@example.org"] if number < programs else [])]
            client.sendmail("ada@a.example", to, canonical(data))


def _fill(port: int, mails: Sequence[bytes]) -> int:
    """Have Dovecot deliver mails into the Maildir; how many it took."""
    count = 0
    with smtplib.LMTP("127.0.0.1", port, timeout=60) as client:
        for data in mails:
            with contextlib.suppress(smtplib.SMTPDataError):  # what Dovecot does not want
                client.sendmail("ada@a.example", [FILLED], canonical(data))
                count += 1
    return count


def _ended(data: bytes) -> bytes:
    """A mail as POP3 has it, where each ends in CRLF, one of no octets too."""
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def _counted(mails: Sequence[bytes]) -> Counter[bytes]:
    return Counter(canonical(data) for data in mails)


@pytest.mark.timeout(1800 if FULL else 240)
async def test_every_door_delivers_real_and_broken_mail(tmp_path: Path, corpora: Path) -> None:
    """What a peer had to give, and could, is taken once, octet for octet, by each kind of source,
    and comes to an end: delivered, or stopped with a reason, or parked; nothing is dropped."""
    files = corpus_files(corpora)
    chosen = SAMPLE.sample(files, MAILS or len(files))
    mails = [path.read_bytes() for path in chosen]
    programs = PROGRAMS or len(mails)
    async with _doors(tmp_path) as doors:
        boxes = doors.dovecot
        assert boxes.lmtp_port
        await doors.road.stop("ingest")  # so that the peers can be asked what they have to give
        for data in mails:
            boxes.deliver(MAILBOX, data)
        filled = await asyncio.to_thread(_fill, boxes.lmtp_port, mails)
        had = {
            "pop3": [_ended(each.data) for each in await asyncio.to_thread(boxes.mails, MAILBOX)],
            "maildir": [path.read_bytes() for path in (boxes.maildir(FILLED) / "new").iterdir()],
        }
        assert (len(had["pop3"]), len(had["maildir"])) == (len(mails), filled)
        await doors.road.run("ingest")
        await doors.road.ready(("ingest",))
        await asyncio.to_thread(_post, doors.postfix.port, mails, programs)
        passed = await doors.witnessed(len(mails))
        had["lmtp"] = had["smtp"] = [data for data in passed if b"\0" not in data]  # 554

        flushed = 0

        async def handed_over() -> bool:
            nonlocal flushed
            codes = Counter(code for _, code in doors.door.calls)
            assert set(codes) <= {0, os.EX_TEMPFAIL}  # on a busy machine some have to come again
            if codes[0] < programs <= codes.total() > flushed:
                flushed = codes.total()
                await asyncio.to_thread(doors.postfix.flush)
            return codes[0] == programs

        await until(handed_over, "the program has taken each mail", 1200)
        count = sum(map(len, had.values())) + programs
        await doors.road.settled(count, 600)

        found = await doors.received()
        for kind, expected in had.items():
            assert _counted(found[kind]) == _counted(expected), kind
        assert _counted(found["pipe"]) <= _counted(passed)
        taken = {kind: len(each) for kind, each in found.items()}
        assert taken["pipe"] == programs
        told = await judge(doors.road.broker, doors.relay, count, 1)
        print(f"\nof {len(mails)} mails at each door {taken}; together {told}")
