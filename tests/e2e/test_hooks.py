"""A package with hooks, installed as its README says, on a whole road."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from postroad.runtime.blobs import get_raw
from schemas.mail import RawRef
from schemas.road import MailReceived
from tests.e2e.system import World, mail, postroad, world
from tests.peers.hookpackage import EXAMPLE, install

LIST, READER, ANNA = "team@example.org", "reader@d1.example.net", "anna@example.net"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package."""
    return install(tmp_path_factory.mktemp("site"))


def test_the_test_of_the_example_passes(tmp_path: Path, installed: Path) -> None:
    """Whoever copies the example package has a test that works."""
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    ran = subprocess.run(
        [sys.executable, *words, "-c", os.devnull, str(EXAMPLE / "tests")],
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


async def test_a_hook_holds_a_post_and_marks_the_copies_of_others(
    tmp_path: Path, installed: Path
) -> None:
    """Its rule stops what it is for, its edit and the text that it rewrote stand in what members
    get; what came is kept; the command that asks before a mail comes asks hooks as well."""
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": path, "POSTROAD_SITE__HOOKS": "banner,loud"}
    async with world(tmp_path, services=(), keep=True) as here:
        for name in ("membership", "router", "sender", "ingest"):
            await here.road.run(name, env=env)
        await here.road.ready()
        await here.road.make_list(LIST, [READER], default_nonmember_action="defer")
        loud = mail(1, to=LIST).replace(b"Subject: post 1", b"Subject: READ THIS NOW")
        here.post(loud)
        banner = b"CAUTION: this mail is from outside.\r\n"
        quiet = mail(2, to=LIST, body="Dear all.\r\n")
        tagged = quiet.replace(b"Subject: ", b"Subject: [EXTERNAL] ")
        here.post(tagged.replace(b"Dear", banner + b"Dear"))
        await here.road.settled(2)
        shown = await here.road.cli("post", "ls", "--json")
        became = {row["message_id"]: (row["kind"], row["reason"]) for row in shown.json}
        assert became["1@posts"] == ("held", "hooks: loud: its subject is in capitals")
        (record,) = [each for each in here.sink.records() if READER in each.recipients]
        assert "Message-ID: <2@posts>" in record.headers
        assert "X-Loudness: 0" in record.headers
        assert "Subject: [Team] post 2" in record.headers
        copy = await asyncio.to_thread(Path(record.file).read_bytes)
        assert copy.endswith(b"\r\n\r\nDear all.\r\n")
        assert banner in await get_raw(here.road.broker, await _came(here, "2@posts"))
        file = tmp_path / "mail.eml"
        file.write_bytes(loud)
        told = (await here.road.cli("mail", "inspect", str(file), "--json", env=env)).json
        assert (told["verdict"], told["decisions"][0]["rule"]) == ("hold", "hooks")


async def test_a_hook_that_fails_is_told_until_it_works_again(tmp_path: Path) -> None:
    """The mail is held, and status says which hook fails and how; with the next mail that it
    answers for all is well."""
    site = tmp_path / "site"
    (site / "fickle-1.dist-info").mkdir(parents=True)
    (site / "fickle-1.dist-info" / "METADATA").write_text("Name: fickle\nVersion: 1\n")
    points = "[postroad.rules]\nfickle = fickle:check\n"
    (site / "fickle-1.dist-info" / "entry_points.txt").write_text(points)
    (site / "fickle.py").write_text("def check(mail):\n    1 / ('boom' not in mail.subject)\n")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": path, "POSTROAD_SITE__HOOKS": "fickle"}
    async with world(tmp_path, services=()) as here:
        for name in ("membership", "router", "sender", "ingest"):
            await here.road.run(name, env=env)
        await here.road.ready()
        await here.road.make_list(LIST, [READER], default_nonmember_action="defer")
        here.post(mail(1, to=LIST).replace(b"Subject: ", b"Subject: boom "))
        await here.road.settled(1)
        told = await here.road.cli("status", "--json")
        assert (told.code, told.json["state"]) == (1, "degraded")
        (problem,) = told.json["problems"]
        assert problem.startswith("the hook fickle (rules) could not be asked: it fails with Zero")
        here.post(mail(2, to=LIST))
        await here.road.settled(2)
        told = await here.road.cli("status", "--json")
        assert (told.code, told.json["problems"]) == (0, [])


async def _came(here: World, message_id: str) -> RawRef:
    """Where the bytes of a mail lie as they came."""
    async for stored in here.road.broker.scan("RECEIVED", "mail.received.>"):
        for event in stored.envelope().events:
            if isinstance(event, MailReceived) and event.facts.message_id == message_id:
                return event.raw
    raise AssertionError(message_id)


async def test_a_hook_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """Settings with a hook that there is not are refused, and the line says which there are."""
    config = tmp_path / "postroad.toml"
    config.write_text('[site]\ndomain = "example.org"\nhooks = ["lout"]\n')
    said = await postroad("config", "check", "--config", str(config))
    assert said.code == 2
    assert "[site] hooks: no package has a hook 'lout'; there are: none" in said.err
