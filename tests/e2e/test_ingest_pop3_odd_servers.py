"""POP3 servers that are broken, slow, hostile or old: no mail is lost, doubled or made up."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError
from services.ingest import feed
from services.ingest.pop3 import decider
from services.ingest.pop3.account import Account
from tests.e2e.ingesting import USER, Reading, a_road, mail, report
from tests.e2e.system import System, until
from tests.peers.popscript import Fault, ScriptedPop3
from tests.peers.tokens import TokenServer, log_in


@dataclass
class Scripted(Reading):
    """Ingest between a scripted server and a broker."""

    pop3: ScriptedPop3

    async def taken(self) -> list[bytes]:
        """What is on the road, in any order."""
        return sorted(await self.texts())


@contextlib.asynccontextmanager
async def scripted(
    home: Path, messages: Iterable[bytes] = (), **settings: str
) -> AsyncIterator[Scripted]:
    """A scripted server with `messages` and a broker; `settings` are those of the source."""
    settings = {"kind": "pop3", "start": "all", **settings}
    async with (
        ScriptedPop3.start(messages) as pop3,
        a_road(home, pop3.port, settings) as road,
    ):
        yield Scripted(road, pop3)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "pause", lambda *_, **__: 0.01)
    monkeypatch.setattr(Account, "ANSWER_SECONDS", 0.5)


MAILS = [mail(1), mail(2, b".\r\n..\r\n.dots\r\n"), mail(3)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(at="GREETING", cut=True),
        Fault(at="GREETING", reply=b"-ERR too many connections\r\n", cut=True),
        Fault(at="GREETING", reply=b"* OK this is IMAP\r\n"),
        Fault(at="CAPA"),
        Fault(at="USER", reply=b"-ERR [SYS/TEMP] later\r\n"),
        Fault(at="PASS", reply=b"-ERR [IN-USE] somebody is here\r\n"),
        Fault(at="PASS", reply=b"-ERR maildrop already locked\r\n"),
        Fault(at="LIST", reply=b"+OK\r\n1 50\r\n2 ", cut=True),
        Fault(at="UIDL", reply=b"+OK\r\n1 id0\r\n2", cut=True),
        Fault(at="RETR", cut=True),
        Fault(at="RETR", reply=b"+OK\r\nFrom: a@b\r\n", cut=True),
        Fault(at="RETR", reply=b"+OK\r\nFrom: a@b\r\n\r\nHalf\r\n.", cut=True, skip=1),
        Fault(at="RETR", reply=b"+OK\r\nFrom: a@b\r\n\r\nHalf\r\n.\r"),
        Fault(at="RETR", reply=b"-ERR [SYS/TEMP] later\r\n"),
        Fault(at="RETR", reply=b"x" * 10_000),
        Fault(at="DELE", cut=True),
        Fault(at="DELE", reply=b"-ERR no\r\n"),
        Fault(at="QUIT", cut=True, reply=b"-ERR not all are removed\r\n"),
        Fault(at="QUIT"),
    ],
    ids=lambda fault: f"{fault.at}-{fault.reply[:12].decode()!r}",
)
async def test_what_goes_wrong_once_is_done_again(tmp_path: Path, fault: Fault) -> None:
    """Cut, silent or refused at any step: in the end each mail is on the road once."""
    async with scripted(tmp_path, MAILS, after="delete") as ingest:
        ingest.pop3.faults.append(fault)
        for _ in range(2):
            with contextlib.suppress(PostroadError):
                await ingest.once()
        assert await ingest.taken() == sorted(MAILS)


async def test_cut_at_any_octet_of_a_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a mail is never taken for a whole one."""
    monkeypatch.setattr(decider, "FETCH_TRIES", 1_000)
    data = b"+OK\r\n" + MAILS[0] + b".\r\n"
    async with scripted(tmp_path, MAILS[:1], after="delete") as ingest:
        for at in range(len(data)):
            ingest.pop3.faults.append(Fault(at="RETR", reply=data[:at], cut=True))
        async with ingest.running():
            await ingest.took(1)
        assert not ingest.pop3.faults
        assert await ingest.texts() == MAILS[:1]


@pytest.mark.parametrize("without", [("UIDL",), ("CAPA", "UIDL"), ("CAPA",)])
@pytest.mark.parametrize("after", ["delete", "seen"])
async def test_servers_without_unique_ids(
    tmp_path: Path, without: tuple[str, ...], after: str
) -> None:
    """A mail is then known by its bytes, and taken once all the same."""
    async with scripted(tmp_path, MAILS, after=after) as ingest:
        ingest.pop3.without = without
        await ingest.once()
        ingest.pop3.mails["new"] = mail("new")
        await ingest.once()
        await ingest.once()
        assert await ingest.taken() == sorted([*MAILS, mail("new")])
        assert len(ingest.pop3.mails) == (0 if after == "delete" else 4)


async def test_first_contact_without_unique_ids(tmp_path: Path) -> None:
    """What was there is left, by its bytes."""
    async with scripted(tmp_path, MAILS, start="now", after="delete") as ingest:
        ingest.pop3.without = ("UIDL",)
        await ingest.once()
        ingest.pop3.mails = {"new": mail("new"), **ingest.pop3.mails}
        await ingest.once()
        assert await ingest.texts() == [mail("new")]
        assert list(ingest.pop3.mails.values()) == MAILS


async def test_one_id_for_all_deletes_nothing_unread(tmp_path: Path) -> None:
    """An id that several mails have tells none apart: each is read before it is deleted."""
    async with scripted(tmp_path, MAILS, after="delete") as ingest:
        ingest.pop3.faults.append(Fault(at="UIDL", reply=b"+OK\r\n1 x\r\n2 x\r\n3 x\r\n.\r\n"))
        await ingest.once()
        assert await ingest.taken() == sorted(MAILS)


async def test_ids_that_change_every_time(tmp_path: Path) -> None:
    """No mail is new because its id is."""
    async with scripted(tmp_path, MAILS) as ingest:
        for visit in range(3):
            ingest.pop3.mails = {
                f"{visit}-{name}": data for name, data in enumerate(ingest.pop3.mails.values())
            }
            await ingest.once()
        assert await ingest.taken() == sorted(MAILS)


async def test_an_empty_mailbox_for_a_moment_makes_no_mail_new(tmp_path: Path) -> None:
    """What was passed over once stays so when the server finds its mails again."""
    async with scripted(tmp_path, MAILS, start="now") as ingest:
        await ingest.once()
        whole, ingest.pop3.mails = ingest.pop3.mails, {}
        await ingest.once()
        ingest.pop3.mails = whole
        await ingest.once()
        assert await ingest.texts() == []


async def test_a_mail_that_never_comes_keeps_back_none(tmp_path: Path) -> None:
    """The server refuses one, for ever: others are taken, and in the end it is recorded."""
    async with scripted(tmp_path, MAILS) as ingest:
        ingest.pop3.faults.append(Fault(at="RETR 1", reply=b"-ERR broken\r\n", times=10))
        async with ingest.running(poll="0.01s") as context:
            await ingest.took(2)

            async def recorded() -> bool:
                return bool(await ingest.refused())

            await until(recorded, "the one that never comes is recorded")
            await report(context, "", ok=True)
        assert await ingest.taken() == sorted(MAILS[1:])
        assert [reason for _, reason in await ingest.refused()] == ["unreadable"]


async def test_a_mail_larger_than_it_was_listed(tmp_path: Path) -> None:
    """Reading stops, it is refused, and the next is taken by another session."""
    async with scripted(tmp_path, [mail(1, b"x" * 50_000), mail(2)], max_size="10KB") as ingest:
        ingest.pop3.faults.append(Fault(at="LIST", reply=b"+OK\r\n1 -5\r\n2 90\r\n.\r\n", times=1))
        await ingest.once()
        assert await ingest.texts() == [mail(2)]
        assert [reason for _, reason in await ingest.refused()] == ["too_large"]


async def test_a_server_that_ends_lines_with_lf(tmp_path: Path) -> None:
    """It is understood; a lone LF of any other server ends nothing."""
    tricky = mail(1, b"one\n.\n-ERR two\r\n")
    async with scripted(tmp_path, [tricky], after="delete") as ingest:
        await ingest.once()
        assert await ingest.texts() == [tricky]
    (tmp_path / "bare").mkdir()
    async with scripted(tmp_path / "bare", [b"From: a@b\n\n.\n..\nHi\n"]) as ingest:
        ingest.pop3.line_end = b"\n"
        ingest.pop3.faults.append(Fault(at="RETR", reply=b"+OK\nFrom: a@b\n\n..\n...\nHi\n.\n"))
        await ingest.once()
        assert await ingest.texts() == [b"From: a@b\n\n.\n..\nHi\n"]


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n"
        + b"1 50\r\n" * 100_000
        + b"999999999999999999999 1\r\n0 5\r\n-1 5\r\nx\r\n.\r\n",
        b"+OK\r\n1 99999999999999999999999\r\n2 \xff\xff\r\n3 1 2 3\r\n\r\n.\r\n",
        b"+OK\r\n.\r\n+OK\r\n1 1\r\n.\r\n",
    ],
)
async def test_a_listing_of_nonsense(tmp_path: Path, reply: bytes) -> None:
    """It harms nothing, and the next one counts."""
    async with scripted(tmp_path, MAILS) as ingest:
        ingest.pop3.faults.append(Fault(at="LIST", reply=reply))
        for _ in range(3):
            with contextlib.suppress(PostroadError):
                await ingest.once()
        assert await ingest.taken() == sorted(MAILS)


async def test_words_before_tls_are_not_believed(tmp_path: Path) -> None:
    """Whoever adds to the answer to STLS sits on the wire: nothing is sent there."""
    async with scripted(tmp_path, MAILS, tls="starttls") as ingest:
        ingest.pop3.faults.append(Fault(at="STLS", reply=b"+OK\r\n+OK welcome\r\n"))
        with pytest.raises(PostroadError, match="somebody put words before the TLS handshake"):
            await ingest.once()
        assert not any("PASS" in line for line in ingest.pop3.heard)


async def test_a_password_is_no_command(tmp_path: Path) -> None:
    """A line end in a setting is refused before anything of it is sent."""
    async with scripted(tmp_path, MAILS) as ingest:
        with pytest.raises(PostroadError, match="user holds a line end"):
            await ingest.once(user=f"{USER}\r\nDELE 1")
        assert not any("DELE" in line for line in ingest.pop3.heard)


async def test_a_mailbox_in_use_is_no_alarm(tmp_path: Path) -> None:
    """Another session has it: that is told, and passes."""
    async with scripted(tmp_path, MAILS) as ingest:
        ingest.pop3.faults.append(Fault(at="PASS", reply=b"-ERR [IN-USE] no\r\n", times=3))
        ingest.pop3.faults.append(Fault(at="PASS", times=1))
        async with ingest.running() as context:
            await report(context, "the mailbox is in use by another session")
            await ingest.took(3)


async def test_deleting_is_refused(tmp_path: Path) -> None:
    """The mails are on the road, once each, and the status says what is wrong; they are deleted
    when that works again, without being read a second time."""
    async with scripted(tmp_path, MAILS, after="delete", poll="1s") as ingest:
        ingest.pop3.faults.append(Fault(at="DELE", reply=b"-ERR read-only\r\n", times=3))
        async with ingest.running() as context:
            await report(context, "the server refused DELE")
            await report(context, "", ok=True)
        assert await ingest.taken() == sorted(MAILS)
        assert not ingest.pop3.mails
        assert sum(line.startswith("RETR") for line in ingest.pop3.heard) == 3


# --- tokens -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _by_token(
    home: Path, pop3: ScriptedPop3, provider: TokenServer, kind: str
) -> AsyncIterator[System]:
    (home / "site").mkdir()
    source = (
        f'[[source]]\nname = "box"\nkind = "pop3"\nhost = "127.0.0.1"\nport = {pop3.port}\n'
        f'tls = "none"\nstart = "all"\nuser = "{USER}"\noauth2 = {provider.oauth2(kind)}\n'
    )
    async with System.start(home / "site", source, services=()) as road:
        log_in(Config.load(road.config, {}), provider)
        yield road


@pytest.mark.parametrize(("kind", "lines"), [("google", 1), ("microsoft", 2)])
async def test_a_login_by_token(tmp_path: Path, kind: str, lines: int) -> None:
    """Google takes the token on the line of AUTH, Microsoft on the next; a token that is turned
    down is renewed once."""
    async with (
        TokenServer.start() as provider,
        ScriptedPop3.start(MAILS) as pop3,
        _by_token(tmp_path, pop3, provider, kind) as road,
    ):
        ingest = Scripted(road, pop3)
        pop3.takes = provider.valid
        await ingest.once()
        assert await ingest.taken() == sorted(MAILS)
        auth = next(line for line in pop3.heard if line.startswith("AUTH"))
        assert len(auth.split()) == (3 if lines == 1 else 2)
