"""`postroad doctor` on a mailbox: login, folder, and what the newest mails tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from tests.e2e.examined import LISTS, SECRET, check, secret, source, write
from tests.e2e.ingesting import ingesting
from tests.e2e.ingesting import mail as post
from tests.peers.dovecot import Dovecot, require_pop3
from tests.peers.imapscript import Fault, ScriptedImap
from tests.peers.tokens import TokenServer, log_in

pytestmark = pytest.mark.e2e

USERS = {LISTS: SECRET}


@pytest.fixture
async def dovecot() -> AsyncIterator[Dovecot]:
    """A Dovecot with the mailbox of the lists."""
    async with Dovecot.start(USERS) as running:
        yield running


def mail(head: str) -> bytes:
    """A mail with these lines above its first Received."""
    received = "Received: from there by here; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    return f"{head}{received}From: anna@example.net\r\nTo: team@example.org\r\n\r\nHi.\r\n".encode()


async def test_login_refused(dovecot: Dovecot, tmp_path: Path) -> None:
    """A wrong password is told with the settings to look at, a right one is ok."""
    assert (await check("login", tmp_path, source(tmp_path, dovecot.port))).state == "ok"
    wrong = secret(tmp_path, "wrong", "other")
    found = await check("login", tmp_path, source(tmp_path, dovecot.port, password_file=wrong))
    assert (found.state, found.finding) == ("failed", "the server refused the login")
    assert "password_file" in found.remedy


async def test_login_by_token(tmp_path: Path) -> None:
    """A token is tried at the server itself."""
    async with (
        TokenServer.start() as provider,
        Dovecot.start(USERS, oauth=provider.introspection_url) as dovecot,
    ):
        settings = (
            f'[[source]]\nname = "box"\nhost = "127.0.0.1"\nport = {dovecot.port}\ntls = "none"\n'
            f'user = "{LISTS}"\noauth2 = {provider.oauth2()}\n'
        )
        log_in(Config.load(write(tmp_path, settings), {}), provider)
        found = await check("login", tmp_path, settings)
    assert (found.state, found.finding) == ("ok", "by token")


@pytest.mark.parametrize(
    ("lacks", "after", "state", "words"),
    [
        ((), "seen", "ok", "IDLE, UIDPLUS, MOVE"),
        (("IDLE",), "seen", "warning", "every 60s"),
        (("MOVE",), "seen", "ok", "IDLE, UIDPLUS"),
        (("MOVE",), "move:Done", "warning", "second copy"),
        (("UIDPLUS",), "delete", "warning", "marked deleted"),
    ],
)
async def test_capabilities_that_are_needed(
    tmp_path: Path, lacks: tuple[str, ...], after: str, state: str, words: str
) -> None:
    """What a server lacks is told with what is lost by it, and only where the settings need it."""
    async with ScriptedImap.start(USERS) as imap:
        imap.capabilities = [name for name in imap.capabilities if name not in lacks]
        found = await check("capabilities", tmp_path, source(tmp_path, imap.port, after=after))
    assert (found.state, words in found.finding) == (state, True), found


async def test_folder_that_is_missing(dovecot: Dovecot, tmp_path: Path) -> None:
    """A folder that is not there is told by its name; opening one marks nothing as read."""
    dovecot.deliver(LISTS, mail(""))
    found = await check("folder", tmp_path, source(tmp_path, dovecot.port))
    assert (found.state, '"INBOX" holds 1 mail' in found.finding) == ("ok", True)
    assert dovecot.mails(LISTS)[0].flags <= {"\\Recent"}
    found = await check("folder", tmp_path, source(tmp_path, dovecot.port, folder="Größe/ Ä"))
    assert (found.state, found.finding) == ("failed", 'there is no folder "Größe/ Ä"')


@pytest.mark.parametrize(
    ("rights", "after", "state"),
    [("lrswite", "delete", "ok"), ("lr", "seen", "failed"), ("lrs", "delete", "failed")],
)
async def test_folder_that_is_read_only(
    tmp_path: Path, rights: str, after: str, state: str
) -> None:
    """Where the server tells our rights (RFC 4314), those that `after` needs must be among them."""
    async with ScriptedImap.start(USERS) as imap:
        imap.capabilities.append("ACL")
        told = (f"* MYRIGHTS INBOX {rights}",)
        imap.faults.append(Fault(at="MYRIGHTS", extra=told, reply="OK done"))
        found = await check("folder", tmp_path, source(tmp_path, imap.port, after=after))
        assert "SELECT" not in {command.split()[0] for command in imap.commands}
    assert found.state == state, found


async def test_start_that_takes_too_much(tmp_path: Path) -> None:
    """How much the first contact will take is told, and is a warning where it is a great deal."""
    async with ScriptedImap.start(USERS, [mail("")] * 501) as imap:
        found = await check("start", tmp_path, source(tmp_path, imap.port, start="all"))
        assert (found.state, "takes 501 of 501 mails" in found.finding) == ("warning", True)
        found = await check("start", tmp_path, source(tmp_path, imap.port, start="now"))
        assert (found.state, "takes 0 of 501 mails" in found.finding) == ("ok", True)


async def test_start_after_the_first_contact(tmp_path: Path) -> None:
    """Once contacted, `start` is said to mean nothing any more."""
    async with ingesting(tmp_path, start="all") as ingest:
        ingest.dovecot.deliver(LISTS, post(1))
        settings = ingest.road.config.read_text().partition("[[source]]")[2]
        await ingest.once()
        home = tmp_path / "site"
        found = await check("start", home, f"[[source]]{settings}")
    assert (found.state, "was contacted before" in found.finding) == ("ok", True)


@pytest.mark.parametrize(
    ("writes", "named", "state", "words"),
    [
        ("mx.example.org", "mx.example.org", "ok", "mx.example.org"),
        ("mx.example.org", "mx.other.org", "failed", "writes mx.example.org, the settings say mx"),
        ("mx.example.org", "", "warning", "the settings say nothing"),
        ("", "mx.example.org", "skipped", "no mail here has"),
    ],
    ids=["same", "other", "unset", "no-mail"],
)
async def test_authserv_id_that_the_server_writes(
    dovecot: Dovecot, tmp_path: Path, writes: str, named: str, state: str, words: str
) -> None:
    """The name in the settings is held against the topmost results of the newest mails."""
    if writes:
        below = "Authentication-Results: mx.forged.net; dkim=pass\r\n"
        dovecot.deliver(LISTS, mail(f"Authentication-Results: {writes} 1; dkim=pass\r\n{below}"))
    found = await check("authserv_id", tmp_path, source(tmp_path, dovecot.port, authserv_id=named))
    assert (found.state, words in found.finding) == (state, True), found


async def test_authserv_id_of_older_mails(dovecot: Dovecot, tmp_path: Path) -> None:
    """Where none of the newest mails was checked by the server (they came from within), those
    before are looked at, but not all there are."""
    dovecot.deliver(LISTS, mail("Authentication-Results: mx.too-old.net; dkim=pass\r\n"))
    dovecot.deliver(LISTS, mail("Authentication-Results: mx.example.org; dkim=pass\r\n"))
    for _ in range(49):
        dovecot.deliver(LISTS, mail(""))
    box = source(tmp_path, dovecot.port, authserv_id="mx.example.org")
    found = await check("authserv_id", tmp_path, box)
    assert (found.state, "in 1 of the newest" in found.finding) == ("ok", True), found


async def test_folder_that_mail_moves_to(dovecot: Dovecot, tmp_path: Path) -> None:
    """A folder to move mail to need not be there: it is said when it is made."""
    found = await check("folder", tmp_path, source(tmp_path, dovecot.port, after="move:Done"))
    assert (found.state, '"Done" is made when first needed' in found.finding) == ("ok", True)


@pytest.mark.parametrize(
    ("writes", "named", "state", "words"),
    [
        ("Delivered-To: team@example.org\r\n", ["Delivered-To"], "ok", "in 1 of the 1"),
        ("", ["Delivered-To"], "failed", "none of the 1 newest mails has Delivered-To"),
        ("X-Original-To: team@example.org\r\n", [], "warning", "X-Original-To"),
        (f"Delivered-To: {LISTS}\r\n", [], "ok", "To and Cc decide"),
    ],
    ids=["there", "absent", "unused", "mailbox"],
)
async def test_recipient_headers_that_the_server_writes(
    dovecot: Dovecot, tmp_path: Path, writes: str, named: list[str], state: str, words: str
) -> None:
    """Named headers must stand above the first Received of the newest mails; one that would help
    and is not named is a warning, but not one that only names the mailbox."""
    dovecot.deliver(LISTS, mail(writes))
    box = source(tmp_path, dovecot.port, recipient_headers=named)
    found = await check("recipient_headers", tmp_path, box)
    assert (found.state, words in found.finding) == (state, True), found


async def test_a_mailbox_by_pop3(dovecot: Dovecot, tmp_path: Path) -> None:
    """It is looked at as far as POP3 goes, and nothing in it changes."""
    port = require_pop3(dovecot)
    dovecot.deliver(LISTS, post(1))
    settings = source(tmp_path, port, kind="pop3", start="all")
    assert (await check("greeting", tmp_path, settings)).finding == "speaks POP3"
    assert (await check("capabilities", tmp_path, settings)).finding == "unique ids (UIDL)"
    assert "takes 1 of 1" in (await check("start", tmp_path, settings)).finding
    wrong = source(tmp_path, port, kind="pop3", password_file=secret(tmp_path, "wrong", "x"))
    found = await check("login", tmp_path, wrong)
    assert (found.state, found.finding) == ("failed", "the server refused the login")


async def test_a_maildir(tmp_path: Path) -> None:
    """It is there, and how much of it would be taken; or it is said what is wrong."""
    settings = f'[[source]]\nkind = "maildir"\npath = "{tmp_path}/box"\nstart = "unseen"\n'
    assert (await check("folder", tmp_path, settings)).state == "failed"
    for sub in ("new", "cur"):
        (tmp_path / "box" / sub).mkdir(parents=True)
    (tmp_path / "box" / "new" / "1.a.mx").write_bytes(post(1))
    (tmp_path / "box" / "cur" / "2.a.mx:2,S").write_bytes(post(2))
    assert "holds 2" in (await check("folder", tmp_path, settings)).finding
    assert "takes 1 of 2" in (await check("start", tmp_path, settings)).finding
