"""Streams are made once and never reset; unsafe servers are refused by name of the fix."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import (
    EmbeddedBroker,
    access,
    embedded,
    is_running,
    nats_binary,
)
from postroad.runtime.errors import PostroadError, SettingsError
from postroad.runtime.provision import check_safety, check_version, provision
from schemas import subjects
from tests.peers.process import free_port

pytestmark = pytest.mark.own_broker


async def test_provisioning_keeps_what_an_operator_changed(broker: Broker) -> None:
    """Age, description and any other field an operator set survive the next start."""
    config = (await broker.api("STREAM.INFO.DELIVERY"))["config"]
    changed = {
        **config,
        "max_age": 12 * 86_400 * 10**9,
        "description": "mine",
        "allow_direct": False,
    }
    await broker.api("STREAM.UPDATE.DELIVERY", changed)
    await provision(broker)
    now = (await broker.api("STREAM.INFO.DELIVERY"))["config"]
    assert (now["max_age"], now["description"]) == (changed["max_age"], "mine")
    assert now["allow_direct"] is True


async def test_an_older_install_keeps_enough_to_overwrite_it(broker: Broker) -> None:
    """A stream that kept fewer messages of a subject than are needed now keeps them; one without
    such a limit is left alone."""
    config = (await broker.api("STREAM.INFO.PENDING"))["config"]
    for before, wanted in ((1, config["max_msgs_per_subject"]), (-1, -1), (100, 100)):
        await broker.api("STREAM.UPDATE.PENDING", {**config, "max_msgs_per_subject": before})
        await provision(broker)
        now = (await broker.api("STREAM.INFO.PENDING"))["config"]
        assert now == {**config, "max_msgs_per_subject": wanted}


async def test_every_stream_and_durable_exists(broker: Broker) -> None:
    """After provisioning the whole vocabulary is there, kept on disk and open to erasure."""
    for stream in subjects.STREAMS:
        config = (await broker.api(f"STREAM.INFO.{stream.name}"))["config"]
        assert config["storage"] == "file"
        assert config["retention"] == "limits"
        assert not config.get("deny_delete")
        assert config["max_age"] == stream.max_age * 10**9
    for durable in subjects.DURABLES:
        info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        assert info["config"]["ack_policy"] == "explicit"


@pytest.mark.parametrize("version", ["2.9.10", "2.10.27", "2.12.11", "2.13.9", "2.14.2", "odd"])
def test_old_servers_are_refused(version: str) -> None:
    """A server with known losses is refused, and the line says what to install."""
    with pytest.raises(SettingsError, match=r"2\.12\.12, 2\.14\.3 or newer"):
        check_version(version)


@pytest.mark.parametrize("version", ["2.12.12", "2.14.3", "2.15.1", "3.0.0", "2.16.0-RC.1"])
def test_safe_servers_are_accepted(version: str) -> None:
    """Servers with the fixes pass."""
    check_version(version)


@contextlib.asynccontextmanager
async def _external(home: Path, jetstream: str, *, monitor: bool) -> AsyncIterator[tuple[str, str]]:
    port, http = free_port(), free_port()
    conf = home / "nats.conf"
    conf.write_text(
        f"host: 127.0.0.1\nport: {port}\n"
        + (f'http: "127.0.0.1:{http}"\n' if monitor else "")
        + f'jetstream {{ store_dir: "{home}/js" {jetstream} }}\n'
    )
    process = await asyncio.create_subprocess_exec(
        nats_binary(), "-c", str(conf), "-l", str(home / "log")
    )
    try:
        yield f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{http}"
    finally:
        process.terminate()
        await process.wait()


async def test_a_server_that_acknowledges_early_is_refused(tmp_path: Path) -> None:
    """The default sync interval loses mail in a power cut, so it is refused with the remedy."""
    async with (
        _external(tmp_path, "", monitor=True) as (url, monitor),
        await Broker.connect(url, name="test") as broker,
    ):
        with pytest.raises(SettingsError, match=r"sync_interval: always"):
            await check_safety(broker, url, monitor)


async def test_a_safe_external_server_is_accepted(tmp_path: Path) -> None:
    """A server that reports sync always passes."""
    async with (
        _external(tmp_path, ", sync_interval: always", monitor=True) as (url, monitor),
        await Broker.connect(url, name="test") as broker,
    ):
        await check_safety(broker, url, monitor)


async def test_a_server_that_does_not_say_is_refused(tmp_path: Path) -> None:
    """Where nobody can tell whether the server is safe, the line says how to let it tell."""
    async with (
        _external(tmp_path, ", sync_interval: always", monitor=False) as (url, monitor),
        await Broker.connect(url, name="test") as broker,
    ):
        with pytest.raises(SettingsError, match=r"broker\.monitor_url"):
            await check_safety(broker, url, monitor)


async def test_the_embedded_broker_is_private(server: EmbeddedBroker, tmp_path: Path) -> None:
    """Credentials are random and readable by the owner only; the server listens on loopback."""
    for name in ("nats.conf", "access.json"):
        assert stat.S_IMODE((tmp_path / "broker" / name).stat().st_mode) == 0o600
    reach = access(tmp_path)
    assert reach is not None
    assert len(reach.password) >= 40
    assert "host: 127.0.0.1" in (tmp_path / "broker" / "nats.conf").read_text()
    with pytest.raises(PostroadError) as refused:
        await Broker.connect(f"nats://postroad:wrong@127.0.0.1:{reach.port}", name="x", wait=0.2)
    assert "wrong" not in str(refused.value)


async def test_one_broker_per_state_dir(server: EmbeddedBroker, tmp_path: Path) -> None:
    """A second start on the same state_dir is refused in words, and does no harm."""
    assert is_running(tmp_path)
    with pytest.raises(PostroadError, match="already runs"):
        async with embedded(tmp_path):
            pass
    assert is_running(tmp_path)


async def test_nobody_there_is_told_without_the_password() -> None:
    """An unreachable broker is named by host and port only."""
    url = f"nats://me:hush@127.0.0.1:{free_port()}"
    with pytest.raises(PostroadError) as error:
        await Broker.connect(url, name="x", wait=0.1)
    assert "hush" not in str(error.value)
    assert "127.0.0.1" in str(error.value)
