"""What a backup tells of messages that the broker does not give."""

from __future__ import annotations

from postroad.cli.backup import lost


def test_a_full_disk_is_told_before_a_damaged_store() -> None:
    """On a full disk a broker may have given out what it could not write: that needs room, and no
    restore."""
    damaged, full = lost("RAW", [3, 1004], full=False), lost("RAW", [3, 1004], full=True)
    assert damaged.startswith("RAW: the broker has lost 3, 1,004, and does not say so: its store")
    assert full.startswith(
        "RAW: the broker does not give 3, 1,004, and its disk is full: make room"
    )
    assert all("No older backup was removed" in told for told in (damaged, full))
