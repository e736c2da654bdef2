"""The site key is the one by which the people here are known, or nobody goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.runtime import sitekey
from postroad.runtime.broker import Broker
from postroad.runtime.errors import SettingsError
from postroad.runtime.secretfile import create_key
from postroad.runtime.service import serve
from schemas import subjects
from tests.broker.membership import settings


async def marked(broker: Broker) -> bytes | None:
    """The mark that lies there."""
    last = await broker.last("KV_CHECKPOINTS", subjects.site_key())
    return last.data if last else None


async def test_a_key_that_is_missing_is_not_made_anew(broker: Broker, tmp_path: Path) -> None:
    """It is made where nobody is known yet, and never again: not where a mark of it lies, and not
    where people are, as in streams of an older release, or of a backup."""
    config = settings(tmp_path)
    key = await sitekey.settle(broker, config, mark=True)
    assert key == config.site_key() == await sitekey.settle(broker, config)
    mark = await marked(broker)
    assert mark == sitekey.mark_of(key)
    assert key.hex()[:8].encode() not in mark
    config.key_file.unlink()
    with pytest.raises(SettingsError, match=r"site\.key is missing.*stranger; put back"):
        await sitekey.settle(broker, config, mark=True)
    await broker.api("STREAM.PURGE.KV_CHECKPOINTS", {})
    await broker.publish("people.ab", b"x")
    assert "is missing" in await sitekey.wrong(broker, config)
    assert not config.key_file.exists()


@pytest.mark.parametrize("name", sitekey.KEYED)
async def test_no_service_runs_with_another_key(broker: Broker, tmp_path: Path, name: str) -> None:
    """A service that works with the key refuses to start with another than it was, be it of a
    machine of its own; what it is told by names the file."""
    config = settings(tmp_path)
    await sitekey.settle(broker, config, mark=True)
    mark = await marked(broker)
    config.key_file.unlink()
    create_key(config.key_file)
    with pytest.raises(SettingsError, match=f"{config.key_file} is not the site key"):
        await serve(name, config)
    assert await marked(broker) == mark


async def test_of_two_keys_one_is_marked(broker: Broker, tmp_path: Path) -> None:
    """Where two services start with two keys, the second that would mark its own is refused; one
    that reads alone marks none."""
    one, two = settings(tmp_path), settings(tmp_path / "two")
    await sitekey.settle(broker, two)
    assert await marked(broker) is None
    await sitekey.settle(broker, one, mark=True)
    assert await sitekey.wrong(broker, one) == ""
    with pytest.raises(SettingsError):
        await sitekey.settle(broker, two, mark=True)
