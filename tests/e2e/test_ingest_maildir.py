"""A Maildir as a source: another daemon fills it, each mail is taken once, and no link followed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import smtplib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from postroad.runtime.errors import PostroadError
from services.ingest import publisher
from services.ingest.maildir import watcher
from tests.e2e.ingesting import USER, Reading, mail, report, taken_as
from tests.e2e.system import System, until
from tests.peers.dovecot import Dovecot

TEXTS = [mail(n) for n in range(60)]  # 50 published together, then 10 one by one
_serial = itertools.count(1_772_600_000)


@dataclass
class Watched(Reading):
    """Ingest at a Maildir."""

    maildir: Path

    def deliver(self, data: bytes, name: str = "", folder: str = "new") -> Path:
        """As a delivery agent does: written under tmp, then renamed."""
        name = name or f"{next(_serial)}.M1P2.mx"
        written = self.maildir / "tmp" / name
        written.write_bytes(data)
        return written.rename(self.maildir / folder / name)

    def files(self, folder: str = "new") -> list[str]:
        """What stands there."""
        return sorted(path.name for path in (self.maildir / folder).iterdir())


@contextlib.asynccontextmanager
async def watched(
    home: Path, maildir: Path | None = None, **settings: str
) -> AsyncIterator[Watched]:
    """A Maildir (a new one), and a broker; `settings` are those of the source."""
    if maildir is None:
        maildir = home / "Maildir"
        for sub in ("tmp", "new", "cur"):
            (maildir / sub).mkdir(parents=True)
    lines = {"name": "box", "kind": "maildir", "path": str(maildir), **settings}
    (home / "site").mkdir()
    source = "[[source]]\n" + "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    async with System.start(home / "site", source, services=()) as road:
        yield Watched(road, maildir)


async def test_new_mail_is_taken_and_marked_read(tmp_path: Path) -> None:
    """What was there stays as it is, what comes is taken and stands in cur as read; a file that is
    still written in tmp is nobody's yet. Its trace leads back to the file."""
    async with watched(tmp_path) as ingest:
        ingest.deliver(mail("old"), "1000000000.M1P2.mx")
        (ingest.maildir / "tmp" / "1.half").write_bytes(b"From:")
        async with ingest.running():
            ingest.deliver(mail(1), "1772600767.M1P2.mx")
            await ingest.took(1)
        assert await ingest.texts() == [mail(1)]
        assert ingest.files("new") == ["1000000000.M1P2.mx"]
        assert ingest.files("cur") == ["1772600767.M1P2.mx:2,S"]
        assert ingest.files("tmp") == ["1.half"]
        (event,) = await ingest.received()
        assert event.origin.name == "1772600767.M1P2.mx"
        assert event.origin.arrived is not None
        assert event.origin.arrived.timestamp() == 1772600767
        said = await taken_as(ingest.road, event.mail_id)
        assert said["postroad.source_kind"] == "maildir"
        assert said["postroad.found_as"] == event.origin.name


@pytest.mark.parametrize(
    ("start", "expected"), [("now", []), ("unseen", [1, 2]), ("all", [1, 2, 3])]
)
async def test_first_contact(tmp_path: Path, start: str, expected: list[int]) -> None:
    """It takes nothing, what nobody has read (in new or cur), or everything; later on, mail that a
    mail program moved to cur unread is taken as well."""
    async with watched(tmp_path, start=start) as ingest:
        ingest.deliver(mail(1), "1.a.mx")
        ingest.deliver(mail(2), "2.b.mx:2,F", "cur")
        ingest.deliver(mail(3), "3.c.mx:2,S", "cur")
        await ingest.once()
        assert await ingest.texts() == [mail(n) for n in expected]
        ingest.deliver(mail(4), "4.d.mx:2,", "cur")
        await ingest.once()
        await ingest.once()
        assert await ingest.texts() == [*[mail(n) for n in expected], mail(4)]
        if start != "now":
            assert "2.b.mx:2,FS" in ingest.files("cur")


@pytest.mark.parametrize(
    ("after", "left"), [("delete", {}), ("move:Done.Old", {".Done.Old/new": 60})]
)
async def test_taken_mail_leaves(tmp_path: Path, after: str, left: dict[str, int]) -> None:
    """By deletion, or into another folder of the same Maildir."""
    async with watched(tmp_path, start="all", after=after) as ingest:
        for text in TEXTS:
            ingest.deliver(text)
        await ingest.once()
        assert await ingest.texts() == TEXTS
        assert ingest.files("new") == ingest.files("cur") == []
        assert {folder: len(ingest.files(folder)) for folder in left} == left


@pytest.mark.parametrize("after", ["seen", "delete"])
@pytest.mark.parametrize(
    "crashpoint",
    [
        "ingest.after_raw:7",
        "ingest.after_received:1",
        "ingest.after_received:7",
        "ingest.after_flag:1",
        "ingest.after_checkpoint:1",
    ],
)
async def test_killed_between_any_two_steps(tmp_path: Path, crashpoint: str, after: str) -> None:
    """Whatever is marked or gone is in RECEIVED; after the next run everything is there once."""
    async with watched(tmp_path, start="unseen", after=after) as ingest:
        for text in TEXTS:
            ingest.deliver(text)
        await ingest.killed_at(crashpoint)
        waiting = {path.read_bytes() for path in (ingest.maildir / "new").iterdir()}
        assert set(TEXTS) - waiting <= set(await ingest.texts())
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(TEXTS)
        assert ingest.files("new") == []


async def test_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither out of the Maildir nor anywhere else; what is no file is refused, once, and keeps
    back nobody. The log says how to find it, without the address that its name may hold."""
    monkeypatch.setattr(publisher, "log", heard := CapturingLogger())
    secret = tmp_path / "secret"
    secret.write_bytes(b"From: root\r\n\r\nsesame\r\n")
    async with watched(tmp_path, start="all", after="delete") as ingest:
        new = ingest.maildir / "new"
        (new / "1.link.mx").symlink_to(secret)
        (new / "2.anna@example.net").mkdir()
        os.mkfifo(new / "3.pipe.mx")
        (new / ".hidden").write_bytes(mail(9))
        (new / os.fsdecode(b"4.\xff\xfe.mx")).write_bytes(mail(4))
        for _ in range(2):
            await ingest.once()
        assert await ingest.texts() == [mail(4)]
        assert [reason for _, reason in await ingest.refused()] == ["unreadable"] * 3
        assert secret.exists()
        left = sorted(new.iterdir())[1:]  # without .hidden
        told = [call.kwargs for call in heard.calls if call.args == ("mail.refused",)]
        assert [each["inode"] for each in told] == [path.lstat().st_ino for path in left]
        assert [each.get("found_as") for each in told] == ["1.link.mx", None, "3.pipe.mx"]
        assert "anna" not in json.dumps(told)


async def test_a_folder_that_is_a_link_is_none(tmp_path: Path) -> None:
    """Whoever may write to the Maildir shall not say which folder is emptied."""
    async with watched(tmp_path, start="all", after="delete") as ingest:
        (ingest.maildir / "new").rmdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "1.a.mx").write_bytes(mail(1))
        (ingest.maildir / "new").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PostroadError, match="the Maildir cannot be read"):
            await ingest.once()
        assert (tmp_path / "elsewhere" / "1.a.mx").exists()


async def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """By its size, before it is read."""
    async with watched(tmp_path, start="all", max_size="10KB") as ingest:
        huge = ingest.deliver(mail(1))
        os.truncate(huge, 1 << 40)  # a hole of 1 TB
        ingest.deliver(mail(2))
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert [reason for _, reason in await ingest.refused()] == ["too_large"]


async def test_a_folder_that_is_missing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, with what to do, and read as soon as it is there."""
    monkeypatch.setattr("services.ingest.feed.pause", lambda *_, **__: 0.05)
    async with watched(tmp_path, start="all") as ingest:
        away = ingest.maildir.rename(tmp_path / "away")
        async with ingest.running() as context:
            await report(context, "there is no Maildir at path, with new and cur in it")
            away.rename(ingest.maildir)
            ingest.deliver(mail(1))
            await ingest.took(1)
            await report(context, "", ok=True)


async def test_what_cannot_be_marked_is_taken_once(tmp_path: Path) -> None:
    """The mail is on the road, and the status says why it stays unread; no restart doubles it, and
    nothing is written over."""
    async with watched(tmp_path, start="all") as ingest:
        ingest.deliver(mail(1), "1.a.mx")
        ingest.deliver(mail(2), "1.a.mx:2,S", "cur")  # no mail server does this
        async with ingest.running() as context:
            await report(context, "may not be changed: another mail has its name")
        with contextlib.suppress(PostroadError):
            await ingest.once()
        assert len(await ingest.received()) == 1
        assert (ingest.maildir / "cur" / "1.a.mx:2,S").read_bytes() == mail(2)


async def test_many_files_are_taken_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, few names are in memory; the oldest come first."""
    monkeypatch.setattr(watcher, "AT_ONCE", 7)
    async with watched(tmp_path, start="all") as ingest:
        for text in reversed(TEXTS):
            ingest.deliver(text, f"{1_772_000_000 + TEXTS.index(text)}.M1.mx")
        ingest.deliver(mail("read"), "1.a.mx:2,S", "cur")
        await ingest.once()
        assert await ingest.texts() == [mail("read"), *TEXTS]


def corpora() -> Iterator[bytes]:
    """Real mail, a sample of each folder."""
    folder = os.environ.get("POSTROAD_CORPORA", "")
    if not folder:
        pytest.skip("the corpora are absent; name their folder in POSTROAD_CORPORA")
    for place in sorted(path for path in Path(folder).rglob("*") if path.is_dir()):
        files = [path for path in sorted(place.iterdir()) if path.suffix == ".eml"]
        yield from (path.read_bytes() for path in files[:: max(1, len(files) // 20)])


async def test_what_a_mail_server_delivers_is_read_byte_for_byte(tmp_path: Path) -> None:
    """Dovecot delivers real mail by LMTP into the Maildir; RAW holds just what it wrote."""
    async with Dovecot.start({USER: "secret"}) as dovecot:
        if dovecot.lmtp_port is None:
            pytest.skip("LMTP is missing: install the Debian package dovecot-lmtpd")
        place = dovecot.maildir(USER)
        async with watched(tmp_path, place, start="all", max_size="100MB") as ingest:
            await asyncio.to_thread(_send, dovecot.lmtp_port, list(corpora()))
            written = sorted(path.read_bytes() for path in (place / "new").iterdir())
            assert len(written) > 20
            async with ingest.running():
                await ingest.took(len(written))
                await until(lambda: _read(place), "all are marked as read")
            assert sorted(await ingest.texts()) == written


async def _read(place: Path) -> bool:
    return not any((place / "new").iterdir())


def _send(port: int, mails: list[bytes]) -> None:
    with smtplib.LMTP("127.0.0.1", port, timeout=60) as client:
        for data in mails:
            with contextlib.suppress(smtplib.SMTPDataError):  # what Dovecot does not want
                client.sendmail("ann@example.org", [USER], data)
