"""Maildir and mbox as relays: on the disk, once, whatever was cut off before."""

from __future__ import annotations

import asyncio
import contextlib
import mailbox
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.mail import wire
from postroad.runtime.config import Relay
from services.sender import filerelay
from services.sender.filerelay import Filer, connect
from services.sender.relay import RelayError
from services.sender.transaction import SENDING, Result, Transaction

HEAD = b"From: Ann <ann@example.net>\r\nSubject: hi\r\n\r\n"
BODY = wire.dot_stuff(b"From me to you\r\n>From her\r\n.dot\r\n\r\nFrom the end\r\n")

DIES = textwrap.dedent(
    """
    import resource, signal, sys
    from pathlib import Path
    from services.sender.filerelay import Maildir
    from services.sender.transaction import Transaction
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    box = Maildir(Path(sys.argv[1]))
    box.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
    with box:
        name = sys.argv[2] + "@archive.example"
        box.add(Transaction("s@x.example", [name], (), "team.1.7"), name, lambda: None)
    """
)


def copy(name: str, *, again: bool = False, body: bytes = BODY) -> Transaction:
    """A copy of a post for name@."""
    sender = f"team-bounces+{name}@lists.example"
    return Transaction(sender, [f"{name}@archive.example"], (HEAD, body), "team.1.7", again)


async def filer(path: Path) -> Filer:
    """A connection to this Maildir or mbox."""
    return await connect(Relay(kind="file", path=path))


def words(results: list[Result]) -> list[str]:
    """`stored`, `doubt` or `untried` for each."""
    return ["stored" if r.recipients[0] else "doubt" if r.lost else "untried" for r in results]


def held(path: Path) -> list[bytes]:
    """What Python's own reader finds in a Maildir or mbox."""
    kind = mailbox.mbox if path.suffix == ".mbox" else mailbox.Maildir
    with contextlib.closing(kind(path, create=False)) as box:
        return [box.get_bytes(key) for key in sorted(box.keys())]


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_a_copy_is_stored_as_it_came(tmp_path: Path, name: str) -> None:
    """The mail has LF line ends, its own dots, and says how it came; a line that begins with
    From is no new mail."""
    results = await (await filer(tmp_path / name)).send([copy("a"), copy("b")])
    assert words(results) == ["stored", "stored"]
    first, second = sorted(held(tmp_path / name), key=lambda mail: b"Delivered-To: b@" in mail)
    head = (
        b"Return-Path: <team-bounces+a@lists.example>\nDelivered-To: a@archive.example\n"
        b"From: Ann <ann@example.net>\n"
    )
    assert head in first
    assert first.startswith((head, b"X-Postroad-Delivery: "))
    assert b"\n.dot\n" in first
    assert b"Delivered-To: b@" in second


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_a_copy_stored_before_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    """After a crash the same copy comes again, stays one, and is told to be the only one."""
    await (await filer(tmp_path / name)).send([copy("a"), copy("b")])
    again = [copy("a", again=True), copy("b", again=True), copy("c", again=True)]
    results = await (await filer(tmp_path / name)).send(again)
    assert words(results) == ["stored"] * 3
    assert [set(result.found) for result in results] == [{0}, {0}, set()]
    assert len(held(tmp_path / name)) == 3


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_what_may_be_there_is_taken_down_copy_by_copy(tmp_path: Path, name: str) -> None:
    """Of a message to several, whoever has no copy yet is not said to have one; a copy that was
    found is left for a successor to find."""
    told: list[tuple[list[int], int]] = []

    def record(indices: Iterable[int], code: int) -> None:
        told.append((list(indices), code))

    await (await filer(tmp_path / name)).send([copy("a")])
    shared = replace(copy("a", again=True), recipients=["x@a.example", "a@archive.example"])
    (result,) = await (await filer(tmp_path / name)).send([replace(shared, record=record)])
    assert told == [([0], SENDING), ([0], 250)]
    assert result.found == {1}


async def test_a_copy_in_an_mbox_that_is_not_whole(tmp_path: Path) -> None:
    """Where somebody appended to an entry that a crash cut off, it cannot be taken away; it is
    not taken for a copy either."""
    path = tmp_path / "archive.mbox"
    await (await filer(path)).send([copy("a")])
    os.truncate(path, path.stat().st_size - 9)
    with path.open("ab") as file:
        file.write(b"\n\nFrom someone Fri Nov 20 12:00:00 2026\nSubject: new\n\nhello\n\n")
    for found in (set(), {0}):
        (result,) = await (await filer(path)).send([copy("a", again=True)])
        assert result.found == found
    assert len(held(path)) == 3


async def test_a_copy_that_was_read_in_between(tmp_path: Path) -> None:
    """A mail program moves what it shows to cur and puts flags behind the name: it is still the
    same copy."""
    relay = await filer(tmp_path / "archive")
    await relay.send([copy("a")])
    (new,) = (tmp_path / "archive" / "new").iterdir()
    new.rename(tmp_path / "archive" / "cur" / f"{new.name}:2,S")
    (result,) = await relay.send([copy("a", again=True)])
    assert result.found
    assert len(held(tmp_path / "archive")) == 1


def test_drafts_of_the_dead(tmp_path: Path) -> None:
    """What a kill left in tmp goes when the same copy is stored, else after 36 hours, as Maildirs
    have it; what may still be written at, and what others left there, stays."""
    path = tmp_path / "archive"
    for name in ("a", "b"):
        died = subprocess.run([sys.executable, "-c", DIES, path, name], check=False)
        assert died.returncode == -signal.SIGXFSZ
    assert len(list((path / "tmp").iterdir())) == 2

    async def store_a() -> None:
        await (await filer(path)).send([copy("a")])

    asyncio.run(store_a())
    (left,) = (path / "tmp").iterdir()
    assert left.name.startswith(copy("b").copy_name("b@archive.example"))
    other = path / "tmp" / "1795250031.M1P2.host"
    other.touch()
    for hours in (35, 37):
        assert left.exists()
        then = time.time() - hours * 3600
        for draft in (left, other):
            os.utime(draft, (then, then))
        asyncio.run(filer(path))
    assert list((path / "tmp").iterdir()) == [other]


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_a_disk_that_is_full_at_the_last_octets(tmp_path: Path, name: str) -> None:
    """A write that has room for a part of the mail only is no mail: stored is all of it or none."""
    await (await filer(tmp_path / "whole")).send([copy("a")])
    size = len(held(tmp_path / "whole")[0])
    path = tmp_path / name
    relay = await filer(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 5, hard))
    try:
        assert words(await relay.send([copy("a")])) == ["untried"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert held(path) == []
    assert words(await (await filer(path)).send([copy("a")])) == ["stored"]
    assert len(held(path)) == 1


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(cut=st.integers(1, 400))
def test_an_entry_that_a_crash_cut_off_is_taken_away(tmp_path: Path, cut: int) -> None:
    """Wherever the last entry of an mbox ends too early, it is written anew, and no other mail is
    touched."""
    path = tmp_path / "archive.mbox"
    path.unlink(missing_ok=True)

    async def run() -> None:
        relay = await filer(path)
        await relay.send([copy("a")])
        whole = path.stat().st_size
        await relay.send([copy("b")])
        first_lines = path.read_bytes()[whole:].split(b"\n", 2)
        least = whole + len(first_lines[0]) + len(first_lines[1]) + 2
        os.truncate(path, max(least, path.stat().st_size - cut))
        fresh = await filer(path)
        assert words(await fresh.send([copy("b", again=True)])) == ["stored"]

    asyncio.run(run())
    entries = held(path)
    assert len(entries) == 2
    assert all(entry.endswith(b"From the end\n") for entry in entries)


async def test_what_others_wrote_into_an_mbox_stays(tmp_path: Path) -> None:
    """An mbox that another program appends to is never cut, nor does a mail become one by what its
    body claims."""
    path = tmp_path / "archive.mbox"
    path.write_bytes(b"From someone Fri Nov 20 12:00:00 2026\nSubject: old\n\nno empty line")
    forged = b"x\r\n\r\nFrom x\r\nX-Postroad-Delivery: " + b"0" * 32 + b" 999999\r\n"
    relay = await filer(path)
    assert words(await relay.send([copy("a", body=forged)])) == ["stored"]
    assert words(await relay.send([copy("b")])) == ["stored"]
    found = held(path)
    assert len(found) == 3
    assert found[0].endswith(b"no empty line\n")
    assert b"999999" in found[1]


async def test_a_locked_mbox_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the file, nothing is written, and that is told."""
    monkeypatch.setattr(filerelay, "LOCK_SECONDS", 0.0)
    path = tmp_path / "archive.mbox"
    relay = await filer(path)
    hold = "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f,2); print(); input()"
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", hold, str(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    assert words(await relay.send([copy("a")])) == ["untried"]
    assert "locked by another program" in relay.fault
    await other.communicate(b"\n")
    assert words(await (await filer(path)).send([copy("a")])) == ["stored"]


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """A folder that is not there is told with the remedy, and nobody is to blame."""
    with pytest.raises(RelayError, match=r"cannot be written to: no such file.*check path") as told:
        await filer(tmp_path / "missing" / name)
    assert told.value.kind == "failed"


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_a_disk_that_fills_up_in_a_window(tmp_path: Path, name: str) -> None:
    """What is stored by then stays stored, and what is behind it is untried; nothing more is
    tried, and the fault says why."""
    relay = await filer(tmp_path / name)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        window = [copy("a"), copy("b", body=b"x\r\n" * 1000), copy("c")]
        assert words(await relay.send(window)) == ["stored", "untried", "untried"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert relay.fault == "cannot be written to: file too large"
    assert words(await relay.send([copy("d")])) == ["untried"]
    assert len(held(tmp_path / name)) == 1


async def test_a_disk_that_does_not_keep_leaves_a_window_in_doubt(tmp_path: Path) -> None:
    """What was written, and cannot be said to be on the disk, is in doubt."""
    relay = await filer(tmp_path / "archive")

    def gone(indices: Iterable[int], code: int) -> None:
        if code == SENDING:  # once the second copy has its name
            (tmp_path / "archive" / "new").rename(tmp_path / "moved")
            (tmp_path / "archive" / "new").symlink_to(tmp_path / "moved" / "nowhere")

    window = [copy("a"), replace(copy("b"), record=gone), copy("c")]
    assert words(await relay.send(window)) == ["doubt", "untried", "untried"]
    assert relay.fault.startswith("cannot be written to: ")


@given(st.lists(st.lists(st.sampled_from([b".", b"..", b"x", b"\r\n", b"." * 3]), max_size=12)))
def test_plain_is_the_way_back_from_dot_stuffing(lines: list[list[bytes]]) -> None:
    """Pieces stuffed apart are the data again, however they are cut into blocks."""
    pieces = [wire.canonical(b"".join(each)) for each in lines]
    assert b"".join(wire.plain(map(wire.dot_stuff, pieces))) == b"".join(pieces)


def test_plain_comes_in_blocks() -> None:
    """A large body is never held twice: blocks are small, and end where lines do."""
    data = b"." + b"x" * 70 + b"\r\n"
    blocks = list(wire.plain([wire.dot_stuff(data * 10_000)]))
    assert b"".join(blocks) == data * 10_000
    assert max(map(len, blocks)) < 70_000
    assert all(block.endswith(b"\r\n") for block in blocks)
