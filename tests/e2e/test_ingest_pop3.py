"""A POP3 mailbox as a source, on a real Dovecot: taken once, deleted only when it is ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.mail.wire import canonical
from postroad.runtime.errors import PostroadError
from services.ingest.pop3 import maildrop
from tests.e2e.ingesting import USER, Ingest, ingesting, mail, taken_as
from tests.e2e.system import until

TEXTS = [mail(n) for n in range(60)]  # 50 published together, then 10 one by one


async def _deliver(ingest: Ingest) -> None:
    for text in TEXTS:
        ingest.dovecot.deliver(USER, text)


@pytest.mark.parametrize(("after", "left"), [("delete", 0), ("seen", 60)])
async def test_everything_is_taken_once(tmp_path: Path, after: str, left: int) -> None:
    """Every mail is on the road once, byte for byte; it leaves the server only where the settings
    say so, and a second visit finds nothing new."""
    async with ingesting(tmp_path, kind="pop3", start="all", after=after) as ingest:
        await _deliver(ingest)
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(TEXTS)
        assert len(await ingest.mails()) == left
        await ingest.once()
        ingest.dovecot.deliver(USER, mail("later"))
        await ingest.once()
        assert await ingest.texts() == [*await _first(ingest, 60), mail("later")]


async def _first(ingest: Ingest, number: int) -> list[bytes]:
    return (await ingest.texts())[:number]


@pytest.mark.parametrize(
    ("crashpoint", "after"),
    [
        ("ingest.after_raw:7", "delete"),
        ("ingest.after_received:1", "seen"),
        ("ingest.after_received:7", "delete"),
        ("ingest.after_delete:1", "delete"),
        ("ingest.after_delete:60", "delete"),
        ("ingest.after_quit:1", "delete"),
        ("ingest.after_quit:1", "seen"),
        ("ingest.after_checkpoint:1", "delete"),
    ],
)
async def test_killed_between_any_two_steps(tmp_path: Path, crashpoint: str, after: str) -> None:
    """Whatever has left the server is in RECEIVED at the moment of death; after the next run
    everything is there once."""
    async with ingesting(tmp_path, kind="pop3", start="all", after=after) as ingest:
        await _deliver(ingest)
        await ingest.killed_at(crashpoint)
        there = {each.data for each in await ingest.mails()}
        assert set(TEXTS) - there <= set(await ingest.texts())
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(TEXTS)
        assert len(await ingest.mails()) == (0 if after == "delete" else 60)


async def test_first_contact_takes_what_comes_later(tmp_path: Path) -> None:
    """With start = "now" what is there stays what it is, also after a death before the first
    mail. The trace of a mail leads back to its UIDL."""
    async with ingesting(tmp_path, kind="pop3", start="now", after="delete") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once()
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.killed_at("ingest.after_raw:1")
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert [each.data for each in await ingest.mails()] == [mail(1)]
        (event,) = await ingest.received()
        said = await taken_as(ingest.road, event.mail_id)
        assert said["postroad.source_kind"] == "pop3"
        assert said["postroad.found_as"] == event.origin.name != ""


async def test_a_wrong_password_is_for_a_person(tmp_path: Path) -> None:
    """It is told as such, without the address."""
    async with ingesting(tmp_path, kind="pop3") as ingest:
        wrong = tmp_path / "wrong"
        wrong.write_text("other\n")
        with pytest.raises(PostroadError, match="the server refused the login; check user"):
            await ingest.once(password_file=wrong)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_the_way_there_is_encrypted(
    tmp_path: Path, tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By TLS at once or by STLS, and the certificate is checked."""
    async with ingesting(tmp_path, kind="pop3", start="all") as ingest:
        ingest.dovecot.deliver(USER, mail(1))
        dovecot = ingest.dovecot
        port = dovecot.pop3s_port if tls == "implicit" else dovecot.pop3_port
        with pytest.raises(PostroadError, match="is not trusted"):
            await ingest.once(tls=tls, port=port, host="localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.certificate.cert))
        await ingest.once(tls=tls, port=port, host="localhost")
        assert await ingest.texts() == [mail(1)]


async def test_a_large_mail_is_refused_unread(tmp_path: Path) -> None:
    """By its size in LIST, as an event, once; it stays where it is, and others go on."""
    async with ingesting(
        tmp_path, kind="pop3", start="all", after="delete", max_size="10KB"
    ) as ingest:
        ingest.dovecot.deliver(USER, mail(1, b"x" * 20_000 + b"\r\n"))
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.once()
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert [reason for _, reason in await ingest.refused()] == ["too_large"]
        assert len(await ingest.mails()) == 1


async def test_many_mails_are_taken_in_several_visits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deleted is deleted at the end of a session, so none lasts for ever."""
    monkeypatch.setattr(maildrop, "VISIT", 25)
    async with ingesting(tmp_path, kind="pop3", start="all", after="delete") as ingest:
        await _deliver(ingest)
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(TEXTS)
        assert await ingest.mails() == []


async def test_new_names_for_old_mails_are_seen_through(tmp_path: Path) -> None:
    """A server that gives all mails new unique ids makes none of them new; what first contact
    passed over stays passed over, told by its Received."""
    received = b"Received: by mx; Mon, 2 Mar 2020 00:00:00 +0000\r\n"
    async with ingesting(tmp_path, kind="pop3", start="now", after="seen") as ingest:
        ingest.dovecot.deliver(USER, received + mail("old"))
        await ingest.once()
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once()
        await ingest.dovecot.change_uidvalidity(USER)
        ingest.dovecot.deliver(USER, mail(2))
        await ingest.once()
        await ingest.once()
        assert await ingest.texts() == [mail(1), mail(2)]


def corpora() -> Iterator[bytes]:
    """Real mail, a sample of each folder."""
    folder = os.environ.get("POSTROAD_CORPORA", "")
    if not folder:
        pytest.skip("the corpora are absent; name their folder in POSTROAD_CORPORA")
    for place in sorted(path for path in Path(folder).rglob("*") if path.is_dir()):
        files = [path for path in sorted(place.iterdir()) if path.suffix in (".eml", ".msg", "")]
        for path in files[:: max(1, len(files) // 20)]:
            if path.is_file() and path.stat().st_size:
                yield path.read_bytes()


async def test_real_mail_comes_through_byte_for_byte(tmp_path: Path) -> None:
    """What RAW holds is what the server has, with CRLF line ends, dots and NULs and all."""
    mails = [canonical(data) for data in corpora()]
    async with ingesting(
        tmp_path, kind="pop3", start="all", after="delete", max_size="100MB"
    ) as ingest:
        for data in mails:
            ingest.dovecot.deliver(USER, data)
        there = await asyncio.to_thread(_retrieved, ingest)
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(there)


def _retrieved(ingest: Ingest) -> list[bytes]:
    return [each.data for each in ingest.dovecot.mails(USER)]


async def test_stopping_ends_a_visit_well(tmp_path: Path) -> None:
    """What was deleted by then is deleted, because the session ends with QUIT."""
    async with ingesting(tmp_path, kind="pop3", start="all", after="delete", poll="1s") as ingest:
        await _deliver(ingest)
        async with ingest.running():
            await ingest.took(60)
        await until(lambda: _empty(ingest), "all mails are deleted")


async def _empty(ingest: Ingest) -> bool:
    return await ingest.mails() == []
