"""Joining the Postroad that runs, or running the embedded broker where none does.

One process at a time runs the embedded broker of a state_dir: `postroad up`, or a command for as
long as it takes. Whoever comes second waits for its turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nats.errors import Error as NatsError

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.embedded import EmbeddedBroker, access, embedded, is_running
from postroad.runtime.errors import PostroadError
from postroad.runtime.health import Report
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import connect

PATIENCE_SECONDS = 10.0  # for a command to finish, or for a service to come up
POLL_SECONDS = 0.05
COMMAND = "command"  # what a short-lived command calls itself when it answers for a service


@contextlib.asynccontextmanager
async def attach(
    config: Config, name: str, wanted: str = ""
) -> AsyncIterator[tuple[Broker, EmbeddedBroker | None]]:
    """A connection called `name`, and the embedded broker where it is ours to run.

    With an embedded broker: joins the Postroad that runs in this state_dir once its service
    `wanted` (any, where empty) is ready; where none runs, runs the broker for the length of the
    block. An external broker is only connected to. Raises PostroadError.
    """
    async with contextlib.AsyncExitStack() as stack:
        if not config.broker.embedded:
            yield await stack.enter_async_context(await connect(config, name)), None
            return
        server: EmbeddedBroker | None = None
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            others = is_running(config.site.state_dir)
            late = asyncio.get_running_loop().time() > deadline
            if others and (broker := await _joined(config, name, wanted, bare=late)) is not None:
                break
            if not others and (server := await _ours(config, stack)) is not None:
                broker = await Broker.connect(server.reach.url, name=name)
                broker.alone = True
                break
            if late:
                raise PostroadError(
                    f"another process runs Postroad in {config.site.state_dir}, but "
                    f"{wanted or 'no service'} does not answer there; see `postroad status`"
                )
            await asyncio.sleep(POLL_SECONDS)
        yield await stack.enter_async_context(broker), server


async def _joined(config: Config, name: str, wanted: str, *, bare: bool) -> Broker | None:
    """A connection to the broker that runs, if the service `wanted` is ready there.

    Where any will do, `bare` takes a broker with none: it is no command's, they do not last.
    """
    reach = access(config.site.state_dir)
    if reach is None:
        return None
    try:
        broker = await Broker.connect(reach.url, name=name, wait=1.0)
    except PostroadError:
        return None
    with contextlib.suppress(NatsError):
        reports = await rollcall(broker, [wanted] if wanted else (), seconds=0.5)
        if (bare and not wanted) or any(_lasting(report, wanted) for report in reports):
            return broker
    await broker.close()
    return None


def _lasting(report: Report, wanted: str) -> bool:
    """Whether this instance is the one wanted, and will still be there in a moment."""
    return report.ready and report.service != COMMAND and wanted in ("", report.service)


async def _ours(config: Config, stack: contextlib.AsyncExitStack) -> EmbeddedBroker | None:
    """The embedded broker, started; None where somebody else was faster."""
    try:
        return await stack.enter_async_context(embedded(config.site.state_dir))
    except PostroadError:
        if is_running(config.site.state_dir):
            return None
    # whoever merely looks whether it runs holds the lock for a moment: once more
    return await stack.enter_async_context(embedded(config.site.state_dir))
