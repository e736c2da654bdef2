"""What lies in deploy/ fits the program: rights, settings and command lines."""

from __future__ import annotations

import contextlib
import re
import shlex
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.embedded import nats_binary
from postroad.runtime.provision import check_safety
from schemas import subjects
from tests.architecture.documents import ROOT
from tests.architecture.test_docs import accept
from tests.peers.process import Daemon, free_port

DEPLOY = ROOT / "deploy"
RIGHTS = DEPLOY / "nats" / "nats-server.conf"
USERS = ("operator", *subjects.PRODUCERS)
END = "end"
# a subject for every right that some service has
SAMPLES = {right: right.replace(">", "x.y") for right in sum(subjects.PRODUCERS.values(), ())}


@contextlib.asynccontextmanager
async def nats_server(home: Path) -> AsyncIterator[tuple[int, int]]:
    """The server of deploy/nats with ports and a store of its own: its port, and that of its
    monitoring. Each user's password is the user's name."""
    port, monitor = free_port(), free_port()
    text = RIGHTS.read_text()
    for ours, theirs in (
        ("127.0.0.1:4222", f"127.0.0.1:{port}"),
        ("127.0.0.1:8222", f"127.0.0.1:{monitor}"),
        ("/var/lib/nats/jetstream", str(home / "jetstream")),
    ):
        assert f'"{ours}"' in text
        text = text.replace(f'"{ours}"', f'"{theirs}"')
    config = home / "nats.conf"
    config.write_text(re.sub(r"\$NATS_(\w+)_PASSWORD", lambda user: user[1].lower(), text))
    command = (nats_binary(), "-c", str(config))
    async with Daemon(command, [port, monitor], home / "nats.log"):
        yield port, monitor


async def published(port: int, user: str) -> set[str]:
    """The rights that this user turns out to have: the samples that reach a listener."""
    address = "nats://{0}:{0}@127.0.0.1:{1}"
    listener, sender = Client(), Client()
    await listener.connect(address.format("operator", port))
    heard = await listener.subscribe(">")
    await listener.request("$JS.API.INFO")  # answered, so the subscription stands
    await sender.connect(address.format(user, port), error_cb=_refused)
    for subject in SAMPLES.values():
        await sender.publish(subject, b"")
    await sender.request("$JS.API.INFO")  # answered, so the server has dealt with all before
    await listener.publish(END, b"")
    let_pass = set()
    while (subject := (await heard.next_msg()).subject) != END:
        let_pass.add(subject)
    await sender.close()
    await listener.close()
    return {right for right, subject in SAMPLES.items() if subject in let_pass}


async def _refused(_: Exception) -> None:
    """A refusal is what is looked for: nats-py need not print it."""


@pytest.mark.broker
async def test_rights_on_an_own_broker_are_those_of_the_vocabulary(tmp_path: Path) -> None:
    """Each user of deploy/nats may publish what PRODUCERS says its service does, and no more."""
    async with nats_server(tmp_path) as (port, monitor):
        url = f"nats://operator:operator@127.0.0.1:{port}"
        async with await Broker.connect(url, name="test") as broker:
            await check_safety(broker, url, f"http://127.0.0.1:{monitor}")
        assert await published(port, "operator") == SAMPLES.keys()
        for service, rights in subjects.PRODUCERS.items():
            covered = tuple(right.rstrip(">") for right in rights)  # one may hold another
            may = {right for right, subject in SAMPLES.items() if subject.startswith(covered)}
            assert await published(port, service) == may, service


def test_every_service_has_a_user_of_its_own() -> None:
    """The users of deploy/nats are the operator and the services that publish."""
    text = RIGHTS.read_text()
    assert re.findall(r"\{ user: (\w+), password: \$NATS_(\w+)_PASSWORD", text) == [
        (user, user.upper()) for user in USERS
    ]


def commands() -> Iterator[list[str]]:
    """What the unit and the container run."""
    unit = (DEPLOY / "systemd" / "postroad.service").read_text()
    yield from map(shlex.split, re.findall(r"^ExecStart=\S*/(postroad .*)", unit, re.MULTILINE))
    container = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^CMD \[(.*)\]", container, re.MULTILINE):
        yield re.findall(r'"([^"]*)"', line)


def test_what_is_started_is_a_command() -> None:
    """Units and containers start the program with words that it takes."""
    found = list(commands())
    assert len(found) == 2
    for words in found:
        accept(words[1:], whole=True)


def test_settings_for_kubernetes_are_accepted(tmp_path: Path) -> None:
    """The settings in the ConfigMap are a settings file."""
    text = (DEPLOY / "kubernetes" / "postroad.yaml").read_text()
    block = re.search(r"postroad\.toml: \|\n((?:    .*\n)+)", text)
    assert block
    (tmp_path / "postroad.toml").write_text(textwrap.dedent(block[1]))
    config = Config.load(tmp_path / "postroad.toml", {})
    assert str(config.site.state_dir) in text.replace(block[1], "")


def test_what_the_image_is_made_of_exists() -> None:
    """Every file that the image is built from is in the repository."""
    text = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
