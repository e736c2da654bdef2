"""When the embedded broker is started anew because it could not write."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.storing import EMPTY, ROOM, Writing

FAILED = "[7] [ERR] Filestore [RAW] Critical write error: no space left on device\n"


def test_it_is_started_anew_once_there_is_room(tmp_path: Path) -> None:
    """What the log said before is past; a failed write is remembered until there is room, and
    is done with when the broker was started anew."""
    (tmp_path / "nats.log").write_text(FAILED)
    free = ROOM
    writing = Writing(tmp_path, lambda: free)
    assert (writing.look(), writing.failed) == (False, False)
    with (tmp_path / "nats.log").open("a") as log:
        log.write(FAILED)
    free = ROOM - 1
    assert (writing.look(), writing.failed) == (False, True)
    free = ROOM
    assert writing.look()
    writing.anew()
    assert (writing.look(), writing.failed) == (False, False)


def test_a_log_without_room_needs_none(tmp_path: Path) -> None:
    """A disk that was full is enough, also where there is no log at all."""
    free = EMPTY - 1
    writing = Writing(tmp_path, lambda: free)
    assert (writing.look(), writing.failed) == (False, True)
    free = ROOM
    assert writing.look()
