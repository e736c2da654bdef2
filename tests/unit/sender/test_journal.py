"""The journal: what a process that died knew of its windows, and when it is not believed."""

from __future__ import annotations

import contextlib
import functools
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime.clock import now
from services.sender.journal import BEFORE, NOTHING, Journal, Lines, entry_name
from services.sender.transaction import SENDING

NAME = entry_name("delivery.team.m.0", "chunk", "entry")
OTHER = entry_name("delivery.team.m.1", "chunk", "entry")
FIRST = entry_name("delivery.team.m.1", "chunk", "")
WORDS = [250, 250, 251, SENDING, NOTHING, 450, BEFORE | 550]
DIES = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from services.sender.journal import Journal
    journal = Journal(Path(sys.argv[1]), 2)
    with journal.lend() as lines:
        lines.begin(sys.argv[2], 10, [0] * 6)
        lines.recorder((11, 13))((0, 1), 1)
        lines.recorder((10, 11))((0, 1), 250)
        lines.recorder((15,))((0,), 550)
        os.kill(os.getpid(), signal.SIGKILL)
    """
)


class Cut(Exception):
    """What ends a window too soon."""


def cut_short(journal: Journal) -> None:
    """A window of our own that ends in an exception: 10 has it, 11 may have it."""
    with contextlib.suppress(Cut), journal.lend() as lines:
        assert lines is not None
        lines.begin(NAME, 10, [NOTHING] * 4)
        lines.recorder((10, 11))((0,), 250)
        lines.recorder((10, 11))((1,), SENDING)
        raise Cut


def left_by_the_dead(directory: Path) -> Path:
    """The journal of a process that was killed in the window NAME."""
    died = subprocess.run([sys.executable, "-c", DIES, directory, NAME], check=False)
    assert died.returncode == -signal.SIGKILL
    (path,) = directory.iterdir()
    return path


def test_a_successor_knows_what_the_dead_one_knew(tmp_path: Path) -> None:
    """Up to the last store before the kill: who has a copy, who may have one; the others were sent
    nothing. The file goes once that is no longer needed."""
    path = left_by_the_dead(tmp_path)
    before = now()
    journal = Journal(tmp_path, 2)
    assert journal.recall(NAME, look=False) is None
    page = journal.recall(NAME, look=True)
    assert page is not None
    assert (sorted(page.sent), sorted(page.doubt)) == ([10, 11], [13])
    assert journal.recall(entry_name("delivery.team.m.0", "chunk", "later"), look=True) is None
    assert path.exists()
    journal.forget(NAME)
    assert not path.exists()
    assert not journal.blind(before)


def test_the_living_are_not_read(tmp_path: Path) -> None:
    """What a process that lives knows may change, however long it has been frozen."""
    living = Journal(tmp_path, 2)
    with living.lend() as lines:
        assert lines is not None
        lines.begin(NAME, 0, [NOTHING])
        assert Journal(tmp_path, 2).recall(NAME, look=True) is None


def garbled(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * (path.stat().st_size // 256))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_boot(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[64:72] = b"anotherb"
    path.write_bytes(data)


def of_no_boot(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[64:128] = bytes(64)
    path.write_bytes(data)


def torn(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"delivery.team.m.0", b"delivery.team.m.9"))


@pytest.mark.parametrize("harm", [garbled, empty, of_another_boot, of_no_boot, torn])
def test_what_cannot_be_believed_is_not(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Garbled, torn, or from before a reboot, when the last stores may not have reached the disk:
    then nothing is known, but that much, of what was queued before; the ledger decides, and the
    file goes."""
    path = left_by_the_dead(tmp_path)
    before = now()
    harm(path)
    journal = Journal(tmp_path, 2)
    assert journal.recall(NAME, look=True) is None
    assert list(journal.load()) == []
    assert not path.exists()
    assert (journal.blind(before), journal.blind(now())) == (True, False)


def test_where_the_directory_is_gone_so_is_what_the_dead_knew(tmp_path: Path) -> None:
    """As with the disk of a container: what was queued before may have been sent. An end in order
    leaves the directory, and no doubt."""
    left_by_the_dead(tmp_path / "sender")
    shutil.rmtree(tmp_path / "sender")
    before = now()
    journal = Journal(tmp_path / "sender", 1)
    assert (journal.blind(before), journal.blind(now())) == (True, False)
    journal.close()
    assert not Journal(tmp_path / "sender", 1).blind(before)


def test_the_window_before_is_known_until_the_ledger_has_the_next(tmp_path: Path) -> None:
    """A window is prepared before its intent is stored: whichever entry turns out to be the last,
    its page is there."""
    journal = Journal(tmp_path, 1)
    with contextlib.suppress(Cut), journal.lend() as lines:
        assert lines is not None
        for name in (FIRST, NAME, OTHER):
            lines.begin(name, 0, [NOTHING] * 2)
            lines.recorder((0,))((0,), 250)
        raise Cut
    assert journal.recall(FIRST, look=False) is None
    for name in (NAME, OTHER):
        page = journal.recall(name, look=False)
        assert page is not None
        assert page.sent == {0}


def test_our_own_windows_cut_short_are_known_too(tmp_path: Path) -> None:
    """The broker was away for an outcome: when the chunk comes back to us we know what became of
    it. With more of those than pages, the oldest is forgotten."""
    journal = Journal(tmp_path, 1)
    cut_short(journal)
    page = journal.recall(NAME, look=False)
    assert page is not None
    assert (sorted(page.sent), sorted(page.doubt)) == ([10], [11])
    with journal.lend() as one, journal.lend() as other:
        assert one is not None
        assert other is not None
    assert journal.recall(NAME, look=False) is None


def test_an_orderly_end_leaves_no_file_but_for_a_window_cut_short(tmp_path: Path) -> None:
    """A successor may need that."""
    journal = Journal(tmp_path, 1)
    with journal.lend() as lines:
        assert lines is not None
        lines.begin(NAME, 0, [NOTHING])
    journal.close()
    assert list(tmp_path.iterdir()) == []
    journal = Journal(tmp_path, 1)
    cut_short(journal)
    journal.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_on_a_full_disk_there_is_none(tmp_path: Path) -> None:
    """Its room is taken at the start, so that no store can fail later; where there is none, windows
    are not written down, and why is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        journal = Journal(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.fault
    assert list(tmp_path.iterdir()) == []
    with journal.lend() as lines:
        assert lines is None
    left_by_the_dead(tmp_path)
    assert journal.recall(NAME, look=True) is not None, "what others left is read all the same"
    journal.close()


def test_a_window_too_wide_for_a_page_is_not_written_down(tmp_path: Path) -> None:
    """Its page says nothing rather than half of it."""
    journal = Journal(tmp_path, 1)
    with journal.lend() as lines:
        assert lines is not None
        lines.begin(NAME, 0, [NOTHING] * 5_000)
        lines.recorder(range(5_000))((4_999,), 250)
        assert not dict(lines.read())


def test_a_doubt_outlives_the_answer_to_the_second_copy() -> None:
    """Who may have had a copy before this window is in doubt for good: has it, and perhaps two."""
    lines = Lines(memoryview(bytearray(2 * 4096)))
    lines.begin(NAME, 0, [BEFORE, BEFORE | 250, NOTHING])
    lines.recorder((0, 2))((0, 1), SENDING)
    lines.recorder((0, 2))((0, 1), 250)
    page = dict(lines.read())[NAME]
    assert (sorted(page.sent), sorted(page.doubt)) == ([0, 1, 2], [0, 1])


def test_a_window_begun_anew_has_one_page(tmp_path: Path) -> None:
    """A chunk without an entry may begin its window several times: the last one counts."""
    journal = Journal(tmp_path, 1)
    with contextlib.suppress(Cut), journal.lend() as lines:
        assert lines is not None
        for code in (SENDING, 450, 250):
            lines.begin(NAME, 0, [NOTHING])
            lines.recorder((0,))((0,), code)
        raise Cut
    page = journal.recall(NAME, look=False)
    assert page is not None
    assert (sorted(page.sent), sorted(page.doubt)) == ([0], [])


@given(st.lists(st.sampled_from([NOTHING, SENDING, 250, 251, 450, 550]), max_size=600))
def test_every_code_is_read_as_it_was_written(codes: list[int]) -> None:
    """Accepted is sent, a dot without an answer is in doubt, anything else is neither."""
    lines = Lines(memoryview(bytearray(2 * 4096)))
    lines.begin(NAME, 7, codes)
    page = dict(lines.read())[NAME]
    assert set(page.sent) == {n for n, code in enumerate(codes, 7) if 200 <= code < 300}
    assert set(page.doubt) == {n for n, code in enumerate(codes, 7) if code == SENDING}


@functools.cache
def sound() -> bytes:
    """The octets of a journal in use."""
    with tempfile.TemporaryDirectory() as place, Journal(Path(place), 1).lend() as lines:
        assert lines is not None
        lines.begin(OTHER, 0, [NOTHING])
        lines.begin(NAME, 10, WORDS)
        (path,) = Path(place).iterdir()
        return path.read_bytes()


def read_from(data: bytes | bytearray) -> dict[str, tuple[frozenset[int], frozenset[int]]]:
    """What a journal with these octets says of windows: who has a copy, and who may have."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "dead.journal").write_bytes(data)
        journal = Journal(Path(place), 1)
        pages = {name: journal.recall(name, look=False) for name in journal.load()}
        return {name: (page.sent, page.doubt) for name, page in pages.items() if page is not None}


PAGE = sound().index(NAME.encode()) // 4096 * 4096
CODES = PAGE + 512
damage = st.one_of(
    st.integers(0, len(sound()) - 1),
    st.integers(PAGE, PAGE + 80),
    st.integers(CODES, CODES + 2 * len(WORDS) - 1),
)


@given(st.dictionaries(damage, st.integers(0, 255), max_size=8))
def test_damage_is_no_harm(hits: dict[int, int]) -> None:
    """Whatever octets are others than were written, nothing fails, and nothing is said of other
    windows; where a code became none that can be, nothing is said of its window at all, so that
    nobody in it loses a copy."""
    data = bytearray(sound())
    for place, octet in hits.items():
        data[place] = octet
    found = read_from(data)
    assert set(found) <= {NAME, OTHER}
    words = struct.unpack_from(f"={len(WORDS)}H", data, CODES)
    if any(word & ~BEFORE not in (NOTHING, SENDING, *range(200, 600)) for word in words):
        assert NAME not in found
    elif NAME in found:
        sent, _ = found[NAME]
        assert sent == {n for n, word in enumerate(words, 10) if 200 <= word & ~BEFORE < 300}


@given(st.integers(0, len(sound())), st.binary(max_size=64))
def test_a_journal_cut_off_anywhere(size: int, rest: bytes) -> None:
    """What is there of it is believed page by page, and anything may follow."""
    assert set(read_from(sound()[:size] + rest)) <= {NAME, OTHER}


@pytest.mark.parametrize(
    "name", ["", "x", "delivery.team.m.0 chunk", "delivery.team.*.0 chunk entry", "a b c d", "\xe9"]
)
def test_a_name_that_is_none(name: str) -> None:
    """A whole page with the name of no window, such as another release may have written."""
    lines = Lines(memoryview(bytearray(2 * 4096)))
    lines.begin(name, 0, [250])
    assert not dict(lines.read())
