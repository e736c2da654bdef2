"""`postroad doctor` on this machine: settings, files, Python, the broker and its lists."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from postroad.cli.doctor.examination import examine
from postroad.cli.doctor.judge import machine
from postroad.cli.doctor.judge.broker import Broker, broker
from postroad.cli.doctor.judge.machine import State
from postroad.cli.doctor.judge.web import web
from postroad.cli.doctor.probe import machine as probe
from postroad.cli.doctor.probe.web import look
from postroad.runtime.config import Config
from schemas.commands import Subscribe
from services.web.pages import nothing_here
from tests.e2e.examined import check, examined, relay, section, source, write
from tests.e2e.system import System
from tests.peers.httpscript import CUT, HttpScript
from tests.peers.nats import NatsServer
from tests.peers.process import free_port

pytestmark = pytest.mark.e2e
OWNED = section("[[domain]]", {"name": "example.org", "owner": "you@example.net"})


async def test_settings_that_are_unwise(tmp_path: Path) -> None:
    """What works and is unwise is a warning each, and nothing where nothing is."""
    found = await check("settings", tmp_path)
    assert (found.state, "there is no [[" in found.finding) == ("warning", True)
    assert (await check("settings", tmp_path, source(tmp_path, 1), relay(1))).state == "ok"


async def test_secrets_that_others_may_read(tmp_path: Path) -> None:
    """A password or token file open to every user fails, and the remedy is the command."""
    box = source(tmp_path, 1)
    assert (await check("secrets", tmp_path, box)).finding == "1 secret file, private"
    tokens = tmp_path / "state" / "oauth"
    tokens.mkdir(parents=True)
    token = tokens / "0123.json"
    token.write_text("{}")
    token.chmod(0o600)
    for path in (tmp_path / "password", token):
        path.chmod(0o604)
        found = await check("secrets", tmp_path, box)
        assert (found.state, found.remedy) == ("failed", f"chmod o-rwx {path}")
        path.chmod(0o640)  # for the group of the service, as the guide installs it
        assert (await check("secrets", tmp_path, box)).state == "ok"


@pytest.mark.parametrize("text", [None, " \n", b"\xff"], ids=["missing", "empty", "binary"])
async def test_secrets_that_are_none(tmp_path: Path, text: str | bytes | None) -> None:
    """A secret file that is missing, empty or not text fails, and the finding names the setting."""
    box = source(tmp_path, 1)
    path = tmp_path / "password"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = await check("secrets", tmp_path, box)
    assert (found.state, '[[source]] "box" password_file' in found.finding) == ("failed", True)


async def test_alarm_that_reaches_nobody(tmp_path: Path) -> None:
    """Without [alarm] it is a warning that nobody is told; a command that is not there fails, and
    with --send one that ends with an error does."""
    assert (await check("alarm", tmp_path)).state == "warning"
    (away,) = await examine(_alarm(tmp_path, "/nope/x"), ["alarm"])
    assert (away.state, "/nope/x" in away.finding) == ("failed", True)
    (silent,) = await examine(_alarm(tmp_path, "false"), ["alarm"])
    assert silent.state == "ok"
    (wrong,) = await examine(_alarm(tmp_path, "false"), ["alarm"], send=True)
    assert (wrong.state, "command: exit code 1" in wrong.finding) == ("failed", True)
    (told,) = await examine(_alarm(tmp_path, f"tee {tmp_path}/told"), ["alarm"], send=True)
    assert told.state == "ok"
    assert (tmp_path / "told").read_text().startswith("alarm test: ")


def _alarm(home: Path, command: str) -> Config:
    return Config.load(write(home, section("[alarm]", {"command": command})), {})


async def test_state_that_others_may_read(tmp_path: Path) -> None:
    """state_dir holds mail: open to others, it fails. Where it is not there yet, none is made."""
    assert (await check("state", tmp_path)).state == "ok"
    state = tmp_path / "state"
    assert not state.exists()
    state.mkdir(mode=0o700)
    assert (await check("state", tmp_path)).state == "ok"
    state.chmod(0o755)
    found = await check("state", tmp_path)
    assert (found.state, found.remedy) == ("failed", f"chmod 700 {state}")
    assert stat.S_IMODE(state.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("free", "writable", "expected"),
    [
        (10**8, True, "failed"),
        (10**9, True, "warning"),
        (10**12, True, "ok"),
        (10**12, False, "failed"),
    ],
)
def test_state_on_a_full_disk(free: int, writable: bool, expected: str) -> None:
    """A full disk and a folder that may not be written fail; one that fills up is a warning."""
    (found,) = machine.state(
        State("/s", there=True, mode=0o700, writable=writable, free=free, total=10**12)
    )
    assert found.state == expected


async def test_state_on_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its permissions are as ever, so something is read and written there; the sentence says what
    helps."""

    def fails(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))

    (tmp_path / "state").mkdir(mode=0o700)
    assert (await check("state", tmp_path)).state == "ok"
    monkeypatch.setattr(probe, "_tried", fails)
    found = await check("state", tmp_path)
    assert (found.state, found.remedy) == ("failed", "look at its disk (dmesg, smartctl)")
    assert "its disk fails" in found.finding
    full = State("/s", there=True, mode=0o700, writable=True, free=0, total=10**12)
    (found,) = machine.state(full)
    assert "by itself" not in found.remedy
    (found,) = machine.state(replace(full, runs=True))
    assert "by itself" in found.remedy


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 11, 14), "warning"), ((3, 11, 15), "ok"), ((3, 13, 11), "warning"), ((3, 15, 0), "ok")],
)
def test_python_below_the_floor(version: tuple[int, int, int], expected: str) -> None:
    """A Python without the fix of a mail-related hole is a warning, unless it is the
    distribution's: that one keeps its number, and is mended by security updates."""
    assert machine.python(version, packaged=False).state == expected
    assert machine.python(version, packaged=True).state == "ok"
    told = machine.python((3, 11, 2), packaged=True).finding
    assert "security updates" in told


async def test_broker_of_ones_own(tmp_path: Path, nats: NatsServer) -> None:
    """An external broker must answer, and must say that it syncs always."""
    own = {"url": nats.url, "monitor_url": nats.monitor_url}
    assert (await check("broker", tmp_path, section("[broker]", own))).state == "ok"
    own["monitor_url"] = f"http://127.0.0.1:{free_port()}"
    found = await check("broker", tmp_path, section("[broker]", own))
    assert (found.state, "turn its monitoring on" in found.remedy) == ("failed", True)
    own["url"] = f"nats://127.0.0.1:{free_port()}"
    found = await check("broker", tmp_path, section("[broker]", own))
    assert (found.state, "no broker answers" in found.finding) == ("failed", True)


async def test_broker_that_would_be_started(tmp_path: Path) -> None:
    """The embedded broker need not run: the program that would be started is asked its version,
    and nothing is started or written."""
    found = await check("broker", tmp_path)
    assert (found.state, "not running now" in found.finding) == ("ok", True)
    assert not (tmp_path / "state").exists()


async def test_broker_that_did_not_start(tmp_path: Path) -> None:
    """Where the embedded broker ended by itself, its last words are told; an older trouble, behind
    which it ran, is not."""
    log = tmp_path / "state" / "broker" / "nats.log"
    log.parent.mkdir(parents=True)
    log.write_text("[1] 2026/11/22 [FTL] Can't start JetStream: no space left on device\n")
    found = await check("broker", tmp_path)
    assert (found.state, "no space left" in found.finding) == ("failed", True)
    log.write_text(f"{log.read_text()}[2] 2026/11/22 [INF] Server is ready\n")
    assert (await check("broker", tmp_path)).state == "ok"


def test_broker_too_old() -> None:
    """The finding of a refused broker is what is wrong, its remedy what helps."""
    found = broker(Broker(embedded=False, running=False, problem="it is old; upgrade it"))
    assert (found.state, found.finding, found.remedy) == ("failed", "it is old", "upgrade it")


async def test_lists_that_no_mailbox_reads(tmp_path: Path) -> None:
    """Of a running Postroad, lists whose domain is not in the settings, that no source reads mail
    for, or that name addresses which do not arrive, are named; without one they are not looked at.
    """
    box = source(tmp_path, 1)
    async with System.start(tmp_path, box, services=("membership",)) as road:
        await road.make_list("team@example.org", [])
        assert (await check("lists", tmp_path, box, OWNED)).state == "ok"
        plus = source(tmp_path, 1, profile="gmail", user="team@example.org") + OWNED
        found = await check("lists", tmp_path, plus)
        assert (found.state, "team-join@example.org" in found.finding) == ("failed", True)
        found = await check("lists", tmp_path, box, domain="example.net")
        assert (found.state, found.remedy) == ("failed", 'add [[domain]] name = "example.org"')
        other = source(tmp_path, 1, domain="example.net")
        domain = section("[[domain]]", {"name": "example.net"})
        found = await check("lists", tmp_path, other, domain)
        assert (found.state, "no [[source]] reads" in found.finding) == ("failed", True)
    assert (await check("lists", tmp_path, box)).state == "skipped"


async def test_lists_whose_owners_nobody_is(tmp_path: Path) -> None:
    """A list without owner and moderator, at a domain without owner, is a warning that names the
    address whose mail nobody gets; somebody in either role is enough."""
    box = source(tmp_path, 1)
    async with System.start(tmp_path, box, services=("membership",)) as road:
        await road.make_list("team@example.org", [])
        found = await check("lists", tmp_path, box)
        assert (found.state, "team-owner@example.org" in found.finding) == ("warning", True)
        assert found.remedy.startswith("postroad member add team@example.org YOU --role owner")
        someone = Subscribe(list="team@example.org", address="o@example.net", role="moderator")
        await road.ask("subscribe", someone)
        assert (await check("lists", tmp_path, box)).state == "ok"


async def test_every_check_of_nothing(tmp_path: Path) -> None:
    """An installation without sources and relays is looked at as far as there is something."""
    checks = ("settings", "secrets", "state", "python", "broker", "lists")
    assert set(await examined(tmp_path, only=checks)) == set(checks)


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        (f"404 Not Found | {nothing_here().decode()}", "ok", "leads to us"),
        ("404 Not Found | nothing", "failed", "something else (status 404)"),
        ("301 Moved\r\nLocation: /", "failed", "something else (status 301)"),
        ("502 Bad Gateway", "failed", "something else (status 502)"),
        (CUT, "warning", "cannot be reached from here: "),
    ],
)
async def test_web_that_leads_elsewhere(answer: str, state: str, says: str) -> None:
    """Links that something else answers fail; where the server is out of reach from here, that is a
    warning, for it may be in reach from outside. No redirect is followed."""
    async with HttpScript.start([answer]) as server:
        found = web(await look(f"http://127.0.0.1:{server.port}"))
    assert (found.state, says in found.finding) == (state, True)
    assert bool(found.remedy) is (state != "ok")
    assert [request.line for request in server.requests] == ["GET /u/doctor HTTP/1.1"]


async def test_web_that_nobody_wants_or_runs(tmp_path: Path) -> None:
    """Without [web] all is well, and while nothing runs nobody is asked."""
    assert (await check("web", tmp_path)).state == "ok"
    assert (await check("web", tmp_path, section("[web]", {}))).state == "skipped"
