"""Makes a log for `postroad upgrade --check` of a backup of a system that this release ran.

    python -m tests.golden.log DIR postroad/cli/upgrading/logs/0.1.0.jsonl

The system must be a made-up one: addresses go into the log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from postroad.cli.upgrading.golden import folded
from postroad.cli.upgrading.outcome import NO_EVENTS
from postroad.runtime.backup.segments import unpacked
from postroad.runtime.backup.vault import Vault
from postroad.runtime.stored import Stored


def messages(vault: Vault) -> Iterator[tuple[str, Stored]]:
    """The events of the newest backup."""
    for copy in vault.chosen("").streams:
        if copy.name in NO_EVENTS:
            continue
        for piece in copy.pieces:
            for record, _ in unpacked(vault, piece):
                subject = record.subject.decode()
                if record.data and not subject.startswith("$"):
                    yield copy.name, Stored(subject, record.seq, record.data, ns=record.ns)


def main(directory: str, place: str) -> None:
    """Write the log."""
    found = list(messages(Vault(Path(directory))))
    lines = [
        msgspec.json.encode((name, each.seq, each.ns, each.subject, msgspec.Raw(each.data)))
        for name, each in found
    ]
    Path(place).write_bytes(b"\n".join([*lines, msgspec.json.encode(folded(found)), b""]))


if __name__ == "__main__":
    main(*sys.argv[1:])
