"""The workers there are: each has one mail at a time, and none outlives what is wrong with one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec
import structlog

from postroad.runtime.errors import Retry
from services.router.content.approvalline import STAYS
from services.router.content.job import ANSWER, EX_MEMORY, JOB, MEMORY, SECONDS, Job, Left

MOST = 4  # at once; each is started when those there are have a mail
PATIENCE = 10.0  # seconds for a mail, where the worker does not even use the processor
TRIES = 2  # of a mail whose worker was ended by somebody else
_MODULE = "services.router.content.worker"

# How a worker ends that a mail is too much for, and what the owners are told.
_TOO_SLOW = f"it takes more than {SECONDS:g} s to take it apart"
_TOO_LARGE = f"it takes more than {MEMORY >> 20} MB to take it apart"
_BREACHES = {
    -signal.SIGPROF: _TOO_SLOW,
    -signal.SIGXCPU: _TOO_SLOW,
    EX_MEMORY: _TOO_LARGE,
}

log = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Left).decode


class Workers:
    """At most so many processes, started when there is something to do."""

    def __init__(self, most: int = MOST, patience: float = PATIENCE) -> None:
        self._free = asyncio.Semaphore(most)
        self._patience = patience
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    @property
    def pids(self) -> set[int]:
        """Of those that live."""
        return {worker.pid for worker in self._all}

    async def left_of(self, data: bytes, job: Job) -> Left:
        """What the list's members get of a mail (see `change`). A mail that is too much for a
        worker is `held`, with the reason. Raises Retry where none can be started."""
        async with self._free:
            for _ in range(TRIES):
                worker = await self._get()
                try:
                    async with asyncio.timeout(self._patience):
                        left = await _ask(worker, data, job)
                except TimeoutError:
                    await self._end(worker)
                    return self._breach(
                        f"it takes more than {self._patience:g} s to take it apart", job
                    )
                except (EOFError, OSError):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(worker.wait(), 1.0)
                    code = await self._end(worker)
                    if code in _BREACHES:
                        return self._breach(_BREACHES[code], job)
                    log.warning("content.worker_ended", code=code)
                except BaseException:  # cancelled: it would answer somebody else
                    worker.kill()
                    raise
                else:
                    self._idle.append(worker)
                    return left
            return self._breach("what takes it apart ends each time", job)

    async def aclose(self) -> None:
        """End all of them."""
        for worker in tuple(self._all):
            await self._end(worker)

    async def _get(self) -> Process:
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker
            self._all.discard(worker)
        try:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", _MODULE),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # a traceback may quote the mail
                env={name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            )
        except OSError as error:
            reason = f"what takes mails apart cannot be started ({error.strerror})"
            raise Retry(reason) from None
        self._all.add(worker)
        return worker

    async def _end(self, worker: Process) -> int:
        """Its exit code; it is ended first, where it has not ended itself."""
        assert worker.stdin is not None
        worker.stdin.close()
        if worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
        self._all.discard(worker)
        return await worker.wait()

    def _breach(self, reason: str, job: Job) -> Left:
        log.warning("content.too_much", reason=reason)
        told = f"{reason}; {STAYS}" if job.approval else reason
        return Left(held=told, password=job.approval)


async def _ask(worker: Process, data: bytes, job: Job) -> Left:
    """Raises EOFError or OSError where it ends over it."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    if worker.stdin.is_closing():  # it ended while it had nothing to do
        raise EOFError
    told = _encode(job)
    worker.stdin.write(JOB.pack(len(told), len(data)) + told)
    worker.stdin.write(data)
    await worker.stdin.drain()
    (size,) = ANSWER.unpack(await worker.stdout.readexactly(ANSWER.size))
    return _decode(await worker.stdout.readexactly(size))
