"""What a person reads: sentences that fit the terminal, and numbers that agree with their nouns."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import termios

import pytest

from postroad.cli.output import counted, short

LONG = "list set: " + "a word and another " * 20
SAYS = f"from postroad.cli.output import complain; complain({LONG!r} + chr(10) + '  and more')"


def said_on_a_terminal(columns: int) -> list[str]:
    """The lines that a terminal of this width gets on stderr, while stdout is a pipe."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-c", SAYS], stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        data = b""
        with contextlib.suppress(OSError):  # nobody has the other end any more
            while some := os.read(ours, 65_536):
                data += some
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    return data.decode().splitlines()


@pytest.mark.parametrize(("columns", "widest"), [(60, 60), (300, 100), (0, 100)])
def test_a_complaint_is_wrapped_on_a_terminal(columns: int, widest: int) -> None:
    """Where the terminal ends, at 100 columns at most; what is indented stays so."""
    lines = said_on_a_terminal(columns)
    assert widest - 20 < max(map(len, lines)) <= widest
    assert " ".join(map(str.strip, lines)).split() == f"postroad: {LONG} and more".split()
    assert lines[-1] == "  and more"
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_complaint_is_one_line_for_whoever_reads_a_pipe() -> None:
    """As it is, so that programs and tests can look for words in it."""
    done = subprocess.run(
        [sys.executable, "-c", SAYS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == f"postroad: {LONG}\n  and more\n"


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 copies"), (1, "1 copy"), (2, "2 copies"), (1_000, "1,000 copies")]
)
def test_a_noun_agrees_with_its_number(count: int, told: str) -> None:
    """One is one."""
    assert counted(count, "copy", "copies") == told


def test_ids_are_printed_as_far_as_they_differ() -> None:
    """Of mails of one moment as many digits are shown as tell them apart; those of mails without a
    date, which begin with zeros, are long enough to be given as they are printed."""
    one, two = "0199d2c64d307abc8" + "0" * 15, "0199d2c64d307abc9" + "0" * 15
    assert short(one, [one, "f" * 32]) == one[:16]
    assert (short(one, [one, two]), short(two, [one, two])) == (one[:17], two[:17])
    undated = "0" * 12 + "7abc8123456789abcdef"
    assert short(undated) == undated[:24]
    assert short("") == ""
