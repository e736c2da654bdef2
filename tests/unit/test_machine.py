"""What this machine has for us."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime import machine


def test_the_disk_of_a_folder_that_is_not_made_yet_is_that_it_will_be_on(tmp_path: Path) -> None:
    """Before the first start `postroad status` tells the room of the nearest folder above."""
    free, total = machine.room(tmp_path / "not" / "there")
    assert free > 0
    assert total == machine.room(tmp_path)[1]
