"""A disk of its own for a test: a file system in a file, mounted (needs root).

with LoopDisk.at(place, megabytes=256) as disk:
    ...          # work in `place`
    disk.fill()  # no room any more, until `free`
    cut = disk.cut(other)  # what the disk had at this moment, as after a power cut
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.process import program

FILLER = ".filler"


def require() -> None:
    """Skip the test without root, naming why."""
    if os.getuid() != 0:
        pytest.skip("mounting a file system needs root")


@dataclass(frozen=True)
class LoopDisk:
    """An ext4 file system in `image`, mounted at `place`."""

    image: Path
    place: Path

    @classmethod
    @contextlib.contextmanager
    def at(cls, place: Path, *, megabytes: int) -> Iterator[LoopDisk]:
        """Make one and mount it for the length of the block; skips without root."""
        require()
        image = place.with_name(f"{place.name}.ext4")
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        run(program("mkfs.ext4", "e2fsprogs"), "-q", "-F", "-m", "0", str(image))
        place.mkdir(exist_ok=True)
        disk = cls(image, place)
        with disk.mounted():
            yield disk

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Mounted for the length of the block."""
        run("mount", "-o", "loop", str(self.image), str(self.place))
        try:
            yield
        finally:
            run("umount", "--lazy", str(self.place))

    def fill(self) -> None:
        """Take all the room there is."""
        with (self.place / FILLER).open("ab") as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(file.fileno(), b"\0" * size)

    def free(self) -> None:
        """Give the room back."""
        (self.place / FILLER).unlink()

    def cut(self, image: Path) -> LoopDisk:
        """What the disk would have if the power went now: not what the kernel still holds in
        memory. Nobody may write meanwhile, for the copy takes a moment: its parts would be of
        several moments, which no disk is. It is checked and mended as at the next start."""
        run("cp", "--sparse=always", str(self.image), str(image))
        fsck = subprocess.run(
            [program("e2fsck", "e2fsprogs"), "-fy", str(image)], check=False, capture_output=True
        )
        assert fsck.returncode in (0, 1), fsck.stdout.decode()  # 1: mended
        return LoopDisk(image, self.place)


def run(*words: str) -> None:
    """Run a command that succeeds."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
