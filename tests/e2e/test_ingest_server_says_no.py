"""A server that cannot, will not or may not: what it says is waited out, or told to a person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.ingest import feed
from services.ingest.decider import FETCH_TRIES
from tests.e2e.ingesting import USER, Watch, ingesting, mail, report, scripted
from tests.e2e.system import until
from tests.peers.imapscript import Fault

TEXTS = [mail(n) for n in range(3)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "pause", lambda *_, **__: 0.02)


async def test_limits_of_the_server_pass(tmp_path: Path) -> None:
    """Too many connections, throttling and the like are waited out at whatever command they are
    met: no alarm, no mail is passed over, and none is held to be unreadable."""
    watch = Watch(tmp_path)
    async with scripted(tmp_path, TEXTS, start="all") as ingest:
        bye = "* BYE Too many simultaneous connections. (Failure)"
        ingest.imap.faults.append(Fault(at="greeting", reply=bye, close=True, times=1))
        for at in ("LOGIN", "SELECT", "SEARCH", "FETCH"):
            replies = ["NO [THROTTLED] slow down", "NO [UNAVAILABLE] try later"]
            replies += [f"NO [LIMIT] {n}" for n in range(FETCH_TRIES)]
            if at != "FETCH":
                replies += ["NO [ALERT] Too many simultaneous connections. (Failure)"][
                    : at == "LOGIN"
                ]
                replies += ["BAD User is authenticated but not connected."][: at == "SELECT"]
            ingest.imap.faults += [
                Fault(at=at, reply=reply, after=n, times=1) for n, reply in enumerate(replies)
            ]
        async with watch.running(ingest) as context:
            await ingest.took(3)
            await ingest.all_read()
            await report(context, "", ok=True)
        assert sorted(await ingest.texts()) == sorted(TEXTS)
        assert watch.told == []


async def test_a_fetch_that_is_refused_passes_over_nothing(tmp_path: Path) -> None:
    """A NO to FETCH is not taken for mail that is gone: the checkpoint stays before it."""
    async with scripted(tmp_path, TEXTS, start="all") as ingest:
        ingest.imap.faults.append(Fault(at="FETCH", reply="NO [SERVERBUG] sorry", times=2))
        await ingest.once()
        await ingest.once()
        assert sorted(await ingest.texts()) == sorted(TEXTS)


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", "check user and password_file"),
        ("NO [AUTHENTICATIONFAILED]", "check user and password_file"),
        ("NO", "check user and password_file"),
        ("BAD", "check user and password_file"),
        ("NO LOGIN failed.", "check user and password_file"),
        (
            "NO [ALERT] Application-specific password required: https://support.example (Failure)",
            "put an app password into password_file, or use oauth2",
        ),
        (
            "NO [WEBALERT https://accounts.example/x] Web login required. (Failure)",
            "log in to the account by browser once",
        ),
        (
            "NO [ALERT] Your account is not enabled for IMAP use. (Failure)",
            "switch IMAP on in the account",
        ),
    ],
)
async def test_a_refused_password_is_told_to_a_person(
    tmp_path: Path, reply: str, remedy: str
) -> None:
    """However a provider puts it, somebody is told what to do; once it works they are told so."""
    watch = Watch(tmp_path)
    async with scripted(tmp_path, TEXTS[:1], start="all") as ingest:
        refusing = Fault(at="LOGIN", reply=reply)
        ingest.imap.faults.append(refusing)
        async with watch.running(ingest):
            await watch.hears(f"source box: the server refused the login; {remedy}")
            ingest.imap.faults.clear()
            await watch.hears("source box works again")
            await ingest.took(1)
        assert len(watch.told) == 2
        assert not any("example" in line or USER in line for line in watch.told)


async def test_a_new_password_is_used_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that waits a minute because its password was refused looks for another."""
    monkeypatch.setattr(feed, "pause", lambda *_, **__: 600.0)
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.05)
    async with scripted(tmp_path, TEXTS, start="all") as ingest:
        (tmp_path / "password").write_text("forgotten\n")
        async with ingest.running() as context:
            await report(context, "the server refused the login")
            (tmp_path / "password").write_text("secret\n")
            await asyncio.wait_for(ingest.took(3), 20)


async def test_a_read_only_folder_is_read(tmp_path: Path) -> None:
    """With after = "seen" mail is taken although it cannot be flagged, and once, also after a
    restart and after a kill; the source is degraded and says what to do."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.append(USER, mail(1))
        await ingest.dovecot.make_read_only(USER)
        await ingest.killed_at("ingest.after_received:1")
        async with ingest.running() as context:
            detail = 'folder "INBOX" is read-only, so mail is taken and stays unread; give'
            await report(context, detail)
            ingest.dovecot.deliver(USER, mail(2))
            await ingest.took(2)
        await ingest.once()
        async with ingest.running():
            ingest.dovecot.deliver(USER, mail(3))
            await ingest.took(3)
        assert await ingest.texts() == [mail(1), mail(2), mail(3)]
        assert await ingest.seen() == [False, False, False]


@pytest.mark.parametrize(
    ("after", "refusing", "lacks"),
    [("move:Done", "MOVE", ()), ("move:Done", "COPY", ("MOVE",)), ("seen", "STORE", ())],
)
async def test_a_full_mailbox_does_not_stop_the_mail(
    tmp_path: Path, after: str, refusing: str, lacks: tuple[str, ...]
) -> None:
    """Where the quota keeps mail from being moved or flagged it is taken all the same, once, a
    person is told to make room, and when there is room all of it is moved or flagged."""
    watch = Watch(tmp_path)
    async with scripted(tmp_path, TEXTS, start="all", after=after, poll="1s") as ingest:
        ingest.imap.capabilities = [c for c in ingest.imap.capabilities if c not in lacks]
        full = Fault(at=refusing, reply="NO [OVERQUOTA] Quota exceeded (mailbox for user is full)")
        ingest.imap.faults.append(full)
        async with watch.running(ingest) as context:
            await ingest.took(3)
            await report(context, f"the server refused {refusing} [OVERQUOTA]; make room")
            ingest.imap.deliver(mail("new"))
            await ingest.took(4)
            await watch.hears("make room in the mailbox")
            ingest.imap.faults.remove(full)
            await watch.hears("source box works again")
        assert sorted(await ingest.texts()) == sorted([*TEXTS, mail("new")])
        assert ingest.unread == []
        if after != "seen":
            done = [found.data for found in ingest.imap.folders["Done"].mails]
            assert sorted(done) == sorted([*TEXTS, mail("new")])


async def test_a_copy_is_made_once_though_the_mail_cannot_be_deleted(tmp_path: Path) -> None:
    """Without MOVE, a mail that was copied and cannot be deleted yet is not copied again."""
    async with scripted(tmp_path, TEXTS, start="all", after="move:Done", poll="1s") as ingest:
        ingest.imap.capabilities.remove("MOVE")
        refused = Fault(at="STORE", reply="NO [INUSE] later", times=2)
        ingest.imap.faults.append(refused)
        async with ingest.running():
            await ingest.took(3)

            async def gone() -> bool:
                return not ingest.imap.inbox.mails

            await until(gone, "the mails are moved")
        assert len(ingest.imap.folders["Done"].mails) == 3
