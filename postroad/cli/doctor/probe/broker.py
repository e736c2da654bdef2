"""The broker, and the Postroad that runs on it, if one does."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from nats.errors import Error as NatsError

from postroad.cli.ask import ask
from postroad.cli.doctor.judge.broker import Broker as Facts
from postroad.cli.doctor.judge.broker import List
from postroad.cli.doctor.judge.clock import Reading
from postroad.runtime import sitekey, streamends
from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.embedded import access, is_running, nats_binary
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.plainly import of_a_place
from postroad.runtime.provision import check_version, version
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import connect
from schemas import subjects
from schemas.commands import ListLists

CONNECT_SECONDS = 4.0
LOOK_SECONDS = 6.0  # for all that is asked of the Postroad that runs
PAGE = 500


@dataclass(frozen=True)
class Told:
    """What only a running Postroad can tell: its lists (None: it does not run), which sources it
    has contacted, how many senders run, what a broker of its own machine has as time, and by how
    many seconds the newest mail is of the future."""

    broker: Facts
    lists: tuple[List, ...] | None = None
    contacted: frozenset[str] = field(default_factory=frozenset)
    senders: int = 0
    clock: Reading | None = None
    newest: float = 0.0


class Running:
    """The broker and the Postroad that runs, asked once, and only when somebody wants to know."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._looking: asyncio.Future[Told] | None = None

    async def told(self) -> Told:
        """What is known; nothing is started."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(_look(self._config))
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Wait for no answer any more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])


async def _look(config: Config) -> Told:
    embedded = config.broker.embedded
    state_dir = config.site.state_dir
    try:
        if embedded and (access(state_dir) is None or not is_running(state_dir)):
            there = config.key_file.exists() or not _people(state_dir)
            key = "" if there else sitekey.missing(config)
            return Told(replace(await _program(), last_words=_last_words(state_dir), key=key))
    except OSError as error:
        return Told(Facts(embedded, running=False, problem=of_a_place(error) or str(error)))
    try:
        async with await connect(config, "doctor", wait=CONNECT_SECONDS) as broker:
            text = version(broker)
            check_version(text)
            gone_back = await streamends.gone_back(broker, state_dir)
            told = streamends.sentence(gone_back) if gone_back else ""
            key = await sitekey.wrong(broker, config)
            facts = Facts(embedded, running=True, version=text, gone_back=told, key=key)
            return await _told(config, broker, facts)
    except PostroadError as error:
        return Told(Facts(embedded, running=False, problem=str(error)))


async def _told(config: Config, broker: Broker, facts: Facts) -> Told:
    """Asked of membership and ingest; who does not answer leaves it unknown."""
    contacted, senders = frozenset[str](), 0
    clock, newest = None, 0.0
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            clock, newest = await _times(broker)
            clock = None if facts.embedded else clock  # else it is our own
            contacted = await _contacted(config, broker)
            reports = await rollcall(broker, ["membership"], seconds=1.0)
            senders = sum(report.service == "sender" for report in reports)
            if any(report.service == "membership" and report.ready for report in reports):
                return Told(facts, await _lists(broker), contacted, senders, clock, newest)
    except (TimeoutError, PostroadError, Retry, ApiError, NatsError):
        pass
    return Told(facts, None, contacted, senders, clock, newest)


async def _times(broker: Broker) -> tuple[Reading, float]:
    """The broker's clock, and by how much its newest mail is of the future."""
    sent = time.time()
    found = await broker.api("STREAM.INFO.RECEIVED")
    now = time.time()
    there = datetime.fromisoformat(found["ts"]).timestamp()
    newest = datetime.fromisoformat(found["state"]["last_ts"]).timestamp()
    return Reading("the broker", (sent + now) / 2 - there, (now - sent) / 2), newest - now


async def _contacted(config: Config, broker: Broker) -> frozenset[str]:
    names = []
    for source in config.source:
        subject = subjects.checkpoint(source.name)
        if await broker.last("KV_CHECKPOINTS", subject) is not None:
            names.append(source.name)
    return frozenset(names)


async def _lists(broker: Broker) -> tuple[List, ...]:
    found: list[List] = []
    while True:
        after = found[-1].address if found else ""
        answer = await ask(broker, "list_ls", ListLists(after=after, limit=PAGE))
        found += [
            List(
                row.address,
                row.members,
                row.owners + row.moderators,
                row.settings,
            )
            for row in answer.lists
        ]
        if not answer.lists:
            return tuple(found)


def _last_words(state_dir: Path) -> str:
    """Why the embedded broker ended by itself; "" where it did not, or never ran."""
    try:
        log = (state_dir / "broker" / "nats.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    last = log.rstrip().rpartition("\n")[2]
    return last.partition("[FTL] ")[2]


def _people(state_dir: Path) -> bool:
    """Whether anybody lies in the store of an embedded broker that does not run."""
    blocks = (state_dir / "broker" / "jetstream").glob("**/streams/PEOPLE/msgs/*.blk")
    return any(block.stat().st_size for block in blocks)


async def _program() -> Facts:
    """The server that would be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            nats_binary(), "--version", stdout=asyncio.subprocess.PIPE
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        found = re.search(rb"(\d+\.\d+\.\d+)", said)
        version = found[1].decode() if found else "of no known version"
        check_version(version)
    except (PostroadError, OSError) as error:
        return Facts(embedded=True, running=False, problem=str(error))
    return Facts(embedded=True, running=False, version=version)
