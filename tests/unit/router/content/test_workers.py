"""Workers that are ended by a mail, and what becomes of the mail and of the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from encodings.aliases import aliases
from pathlib import Path

import pytest

from services.router.content.job import MEMORY, SECONDS, Criteria, Job, Left
from services.router.content.workers import Workers
from tests.peers.process import until
from tests.unit.mail.test_structure import BOMBS
from tests.unit.router.content.mime import HEAD, HTML, PDF, TEXT, Part, mail, multipart

JOB = Job(Criteria(pass_types=("text",), convert_html_to_plaintext=True))
GOOD = mail(multipart("mixed", TEXT, PDF))
PATIENCE = 30.0


@contextlib.asynccontextmanager
async def workers(most: int = 2) -> AsyncIterator[Workers]:
    """Workers, all of which have ended when the block has."""
    made = Workers(most, PATIENCE)
    try:
        yield made
    finally:
        pids = made.pids
        await made.aclose()
        assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    """Whether there is such a process, if only as a zombie."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def gone(pid: int) -> None:
    """Wait until there is no such process."""

    async def ended() -> bool:
        return not alive(pid)

    await until(ended)


def html(octets: bytes) -> bytes:
    """A mail of nothing but this HTML."""
    return mail(Part("text/html", octets))


HTML_BOMBS = {
    "comments": b"<!--" * 60_000,
    "lists": b"<ul><li>" * 30_000,
    "links": b"<a href=x>" * 25_000,
    "number": b"&#" + b"9" * 200_000 + b";",
    "megabytes": b"<b>x" * 2_000_000,
    "nested": b"<div>" * 50_000,
}


async def test_a_mail_is_filtered_in_another_process() -> None:
    """One worker serves one mail after the other."""
    async with workers() as pool:
        first = await pool.left_of(GOOD, JOB)
        assert first.pieces
        pids = pool.pids
        assert await pool.left_of(GOOD, JOB) == first
        assert await pool.left_of(mail(TEXT), JOB) == Left()
        assert pool.pids == pids
        assert len(pids) == 1
        assert os.getpid() not in pids


async def test_a_worker_has_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file or connection but its two pipes, nothing of our environment; and a limit."""
    monkeypatch.setenv("POSTROAD_CANARY", "secret")
    ours, theirs = socket.socketpair()
    ours.set_inheritable(True)
    with ours, theirs:
        async with workers() as pool:
            await pool.left_of(GOOD, JOB)
            (pid,) = pool.pids
            process = Path(f"/proc/{pid}")
            assert sorted(int(each.name) for each in (process / "fd").iterdir()) == [0, 1, 2]
            environ = (process / "environ").read_bytes().split(b"\0")
            (space,) = re.findall(r"Max address space +(\d+)", (process / "limits").read_text())
            assert int(space) == MEMORY
            names = {each.partition(b"=")[0] for each in environ if each}
            assert names <= {b"PYTHONPATH", b"LC_CTYPE"}


@pytest.mark.parametrize("name", HTML_BOMBS)
async def test_bad_html_ends_a_worker_and_nothing_else(name: str) -> None:
    """The mail is filtered or held with a reason, within a second of the processor; the next one
    is answered meanwhile, and by a new worker afterwards."""
    async with workers() as pool:
        before = used()
        bomb = asyncio.create_task(pool.left_of(html(HTML_BOMBS[name]), JOB))
        assert (await pool.left_of(GOOD, JOB)).pieces
        left = await bomb
        assert left.pieces or "takes more than" in left.held or left.empty
        assert (await pool.left_of(GOOD, JOB)).pieces
    # beside the bomb there are the starts of two or three workers, and two mails
    assert used() - before < SECONDS + 1.0


def used() -> float:
    """Seconds of the processor that children of ours had."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


async def test_bombs_of_parts_end_nothing() -> None:
    """They are read or refused by the worker itself."""
    async with workers(1) as pool:
        await pool.left_of(GOOD, JOB)
        pids = pool.pids
        for name, bomb in BOMBS.items():
            began = time.monotonic()
            left = await pool.left_of(bomb, JOB)
            assert not left.pieces, name
            assert time.monotonic() - began < PATIENCE, name
            assert pool.pids == pids, name


async def test_a_mail_that_needs_more_memory_than_there_is_is_held() -> None:
    """And the next is not."""
    async with workers(1) as pool:
        huge = html(b"<p>" + b"a" * (100 << 20))
        left = await pool.left_of(huge, JOB)
        assert left.held == "it takes more than 256 MB to take it apart"
        assert (await pool.left_of(GOOD, JOB)).pieces


async def test_what_cannot_be_looked_at_may_tell_a_password() -> None:
    """Where a mail gives one, and is too much for a worker, nobody knows where it stands."""
    pool = Workers(1, patience=0.0)
    try:
        late = await pool.left_of(GOOD, Job(approval=True))
        assert (late.password, "a moderator's password stands" in late.held) == (True, True)
        assert not (await pool.left_of(GOOD, JOB)).password
    finally:
        await pool.aclose()


async def test_a_worker_that_stands_still_is_ended() -> None:
    """Though it does not use the processor."""
    async with workers(1) as pool:
        await pool.left_of(GOOD, JOB)
        pool._patience = 0.3
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        left = await pool.left_of(GOOD, JOB)
        assert left.held == "it takes more than 0.3 s to take it apart"
        await gone(pid)
    async with workers(1) as pool:
        assert (await pool.left_of(GOOD, JOB)).pieces


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_somebody_ends_costs_no_mail(number: signal.Signals) -> None:
    """The mail that it had, or would have had, is given to another."""
    async with workers(1) as pool:
        await pool.left_of(GOOD, JOB)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        asking = asyncio.create_task(pool.left_of(GOOD, JOB))
        await asyncio.sleep(0)
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        assert (await asking).pieces
        assert pool.pids.isdisjoint({pid})


async def test_who_no_longer_waits_gets_no_answer_to_another() -> None:
    """A worker whose mail was given up is ended."""
    async with workers(1) as pool:
        asking = asyncio.create_task(pool.left_of(html(HTML_BOMBS["comments"]), JOB))

        async def started() -> bool:
            return bool(pool.pids)

        await until(started)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await pool.left_of(mail(HTML), JOB)).pieces


PARENT = """
import asyncio, sys
from services.router.content.job import Job
from services.router.content.workers import Workers

async def main():
    workers = Workers()
    await workers.left_of(b"\\r\\n", Job())
    print(*workers.pids, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_worker_dies_with_its_parent() -> None:
    """Also where that is killed."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)


async def test_all_codecs_of_python_are_no_charsets() -> None:
    """A text in any of them, or in none there is, is read as some text."""
    names = {*aliases.values(), *aliases, "x-evil", "idna", "punycode", "utf-7", "rot13", "zlib"}
    async with workers(1) as pool:
        for name in sorted(names):
            data = HEAD + f"Content-Type: text/html; charset={name}\r\n\r\n<p>+ADw-b".encode()
            left = await pool.left_of(data, JOB)
            assert left.pieces, name
            assert b"+ADw-b" in bytes(left.pieces[-1]) or name.startswith("utf_16")
