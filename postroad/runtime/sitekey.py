"""Whether the site key is the one by which the people here are known.

With another everybody is a stranger: nobody is found by their address, who is added again is there
twice, and tokens in old copies are void. So a mark of the key lies with them in the bucket
CHECKPOINTS, on whatever machine services run, and comes back with them from a backup.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from postroad.runtime.apierror import NO_STREAM, ApiError
from postroad.runtime.errors import Conflict, SettingsError
from schemas import subjects

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

KEYED = ("membership", "router", "sender")  # services that work with it
MARKS = "membership"  # which of them makes the mark: it alone stores people
PAGE = "docs/operators/backup.md"
HELP = f"put back the one from your backup ({PAGE})"


async def settle(broker: Broker, config: Config, *, mark: bool = False) -> bytes:
    """The key, once it is certain that it is the one; made where nobody is known by any yet. With
    `mark` it is the one from now on. Raises SettingsError, and has made nothing, where it is
    missing or another; BrokerUnavailable, ApiError."""
    _refuse(await wrong(broker, config))
    key = config.site_key()
    if mark and await _marked(broker) is None:
        try:
            await broker.publish(subjects.site_key(), mark_of(key), expect=0)
        except Conflict:
            _refuse(await wrong(broker, config))  # somebody was faster, maybe with another
    return key


async def wrong(broker: Broker, config: Config) -> str:
    """What is wrong with the key, and what helps; nothing where it is well, or may be made. Nothing
    is made here. Raises BrokerUnavailable, ApiError, SettingsError where it cannot be read."""
    file = config.key_file
    marked = await _marked(broker)
    if not file.exists():
        if marked is None and not (
            await _end(broker, "PEOPLE") or await _end(broker, "MEMBERSHIP")
        ):
            return ""
        return missing(config)
    if marked is not None and not hmac.compare_digest(marked, mark_of(config.kept_key())):
        what = (
            f"{file} is not the site key by which people are known: everybody would be a stranger"
        )
        return f"{what}; {HELP}"
    return ""


def missing(config: Config) -> str:
    """What is said where people are and the key is not."""
    file = config.key_file
    return f"the site key {file} is missing, and with another everybody would be a stranger; {HELP}"


def mark_of(key: bytes) -> bytes:
    """What tells this key from others, and tells nothing of it."""
    return hmac.digest(key, b"postroad site key", "sha256").hex()[:32].encode()


def _refuse(told: str) -> None:
    if told:
        raise SettingsError(told)


async def _marked(broker: Broker) -> bytes | None:
    if not await _end(broker, "KV_CHECKPOINTS"):
        return None
    last = await broker.last("KV_CHECKPOINTS", subjects.site_key())
    return last.data if last is not None and last.data else None


async def _end(broker: Broker, stream: str) -> int:
    """The last sequence of a stream; 0 where there is none."""
    try:
        return int((await broker.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"])
    except ApiError as error:
        if error.err_code != NO_STREAM:
            raise
        return 0
