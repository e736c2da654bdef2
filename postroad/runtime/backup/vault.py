"""The directory of backups: pieces named for what is in them, and one small file a backup.

    README          what this is
    backups/NAME    one backup: JSON, and a line with its SHA-256; written last, so it is complete
    pieces/ab/ab... octets, compressed; never changed once they are there

A backup that is killed leaves pieces that nobody names, which the next one takes or removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from postroad.runtime.backup.manifest import FORMAT, Manifest, Piece
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.synced import sync

README = """Backups of a Postroad, made by `postroad backup`.

They hold everything: addresses, mail, passwords and keys (unless --without-secrets was given).
Guard this directory as you guard the machine itself. To go back: docs/operators/backup.md, or

    postroad restore THIS-DIRECTORY --help
"""
LEVEL = 3
_json = msgspec.json.Encoder().encode


class Damaged(PostroadError):
    """A piece, or a backup's own file, is not what was written."""


class Vault:
    """One such directory. `stored` counts octets that this run has added to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stored = 0
        self._synced: set[Path] = set()

    # --- writing --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the directory for one writer. Raises PostroadError."""
        with self.telling():
            for folder in (self.path, self.path / "backups", self.path / "pieces"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / "README").exists():
                self._write(self.path / "README", README.encode())
            with (self.path / "lock").open("wb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise PostroadError(
                        f"another backup is being written into {self.path}; wait for it"
                    ) from None
                yield

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Say what is wrong with the directory. Raises PostroadError."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise PostroadError(
                    f"{self.path} is full: make room, or name a directory on another disk; the "
                    "backups that are in it stay usable"
                ) from error
            what = (error.strerror or type(error).__name__).lower()
            raise PostroadError(f"{error.filename or self.path}: {what}") from error

    def put(self, octets: bytes) -> tuple[str, int]:
        """Keep octets; the name and size of their piece."""
        import pyarrow as pa  # noqa: PLC0415  most commands do without

        head = len(octets).to_bytes(8, "little")
        packed = head + pa.Codec("zstd", LEVEL).compress(octets, asbytes=True)
        name = hashlib.sha256(packed).hexdigest()
        if self.size(name) != len(packed):
            self._write(self._place(name), packed)
            self.stored += len(packed)
        return name, len(packed)

    def keep(self, manifest: Manifest) -> None:
        """Finish a backup: from here on it counts."""
        for folder in sorted(self._synced):
            sync(folder)
        self._synced.clear()
        body = _json(manifest)
        line = hashlib.sha256(body).hexdigest().encode()
        self._write(self.path / "backups" / manifest.name, body + b"\n" + line + b"\n")
        sync(self.path / "backups")

    def prune(self, keep: int) -> int:
        """Remove all backups but the newest `keep`, and what no backup needs; octets removed."""
        freed = 0
        names = self.names()
        for name in names[: max(0, len(names) - keep)]:
            (self.path / "backups" / name).unlink()
        needed: set[str] = set()
        for name in self.names():
            needed |= self.manifest(name).needed()
        for file in (self.path / "pieces").glob("*/*"):
            if file.name not in needed:
                freed += file.stat().st_size
                file.unlink()
        return freed

    def _write(self, path: Path, octets: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(octets)
                f.flush()
                os.fsync(f.fileno())
            new.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        self._synced.add(path.parent)

    # --- reading --------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The backups there are, the oldest first."""
        try:
            found = [each.name for each in (self.path / "backups").iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.endswith(".new"))

    def newest(self) -> Manifest | None:
        """The last complete backup that can be read."""
        for name in reversed(self.names()):
            with contextlib.suppress(Damaged):
                return self.manifest(name)
        return None

    def chosen(self, name: str) -> Manifest:
        """The backup of that name, or the newest. Raises UsageError, Damaged."""
        names = self.names()
        if not names:
            raise UsageError(
                f"{self.path} holds no backup; `postroad backup {self.path}` makes one"
            )
        if not name:
            return self.manifest(names[-1])
        found = [each for each in names if each == name] or [
            each for each in names if each.startswith(name)
        ]
        if len(found) != 1:
            raise UsageError(
                f"{self.path} has {'several backups' if found else 'no backup'} {name!r}; there "
                f"are: {', '.join(names[-10:])}"
            )
        return self.manifest(found[0])

    def manifest(self, name: str) -> Manifest:
        """One backup. Raises Damaged."""
        path = self.path / "backups" / name
        with self.telling():
            body, _, line = path.read_bytes().rstrip(b"\n").rpartition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != line:
            raise Damaged(
                f"{path} is damaged; use an older backup (--at), the pieces are checked by "
                f"`postroad backup {self.path} --check`"
            )
        form = msgspec.json.decode(body).get("format")
        if form != FORMAT:
            raise UsageError(
                f"{path} has format {form}, of another release; this one reads {FORMAT}"
            )
        return msgspec.json.decode(body, type=Manifest)

    def size(self, name: str) -> int:
        """The size of a piece; -1 where it is not there."""
        try:
            return self._place(name).stat().st_size
        except FileNotFoundError:
            return -1

    def get(self, name: str) -> bytes:
        """The octets of a piece. Raises Damaged naming its file."""
        import pyarrow as pa  # noqa: PLC0415

        place = self._place(name)
        try:
            packed = place.read_bytes()
        except FileNotFoundError:
            raise Damaged(f"{place} is missing") from None
        except OSError as error:
            raise Damaged(f"{place} cannot be read: {error.strerror}") from None
        if hashlib.sha256(packed).hexdigest() != name:
            raise Damaged(
                f"{place} is damaged: {len(packed):,} octets that are not what was written"
            )
        size = int.from_bytes(packed[:8], "little")
        if not size:
            return b""
        octets = pa.Codec("zstd").decompress(packed[8:], size, asbytes=True)
        assert isinstance(octets, bytes)
        return octets

    def there(self, piece: Piece) -> bool:
        """Whether a piece is there, by its size."""
        return self.size(piece.name) == piece.size

    def _place(self, name: str) -> Path:
        return self.path / "pieces" / name[:2] / name
