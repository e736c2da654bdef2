"""The files beside the streams: the settings, what they name, the site's key, logins."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from postroad.runtime.backup.manifest import FileCopy
from postroad.runtime.backup.vault import Vault
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError

BLOCK = 8 << 20  # octets of a large file in one piece
SECRET = ("key", "secret", "login")  # roles of files that only their owner may read


def found(config: Config) -> Iterator[tuple[str, Path]]:
    """Each file and its role, whether it is there or not."""
    yield "settings", config.path
    key = config.key_file
    yield "key", key
    seen = {config.path, key}
    for name, path in _named(config):
        for file in _files(path):
            if file not in seen:
                seen.add(file)
                yield ("secret" if _secret(name) else "settings"), file
    for file in sorted(_files(config.site.state_dir / "oauth")):
        if not file.name.startswith(".") and file.suffix != ".lock":
            yield "login", file


def _secret(name: str) -> bool:
    return name.endswith("_file") and "cert" not in name


def _named(config: Config) -> Iterator[tuple[str, Path]]:
    """Every path in the settings by the name of its setting, but for what mail lies in."""
    waiting: list[msgspec.Struct] = [config]
    while waiting:
        each = waiting.pop()
        for field in each.__struct_fields__:
            value = getattr(each, field)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, msgspec.Struct):
                    waiting.append(one)
                elif isinstance(one, Path) and field not in ("state_dir", "path"):
                    yield field, config.path.parent / one


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
    else:
        yield path


def copy(vault: Vault, role: str, path: Path) -> FileCopy | None:
    """A file in pieces; None where there is none. Raises PostroadError where it cannot be read."""
    digest, pieces = hashlib.sha256(), []
    try:
        with path.open("rb") as file:
            about = path.stat()
            while block := file.read(BLOCK):
                digest.update(block)
                pieces.append(vault.put(block))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise PostroadError(
            f"{path} may not be read: run the backup as the user that runs Postroad, or leave "
            "secrets out with --without-secrets"
        ) from None
    return FileCopy(
        role=role,
        path=str(path),
        mode=stat.S_IMODE(about.st_mode),
        size=about.st_size,
        sha256=digest.hexdigest(),
        pieces=tuple(pieces),
    )


def give_back(vault: Vault, file: FileCopy, place: Path) -> bool:
    """Write a file where there is none; False where the same is there. Raises PostroadError where
    another is, or what was written is not what was copied."""
    octets = b"".join(vault.get(name) for name, _ in file.pieces)
    if hashlib.sha256(octets).hexdigest() != file.sha256:
        raise PostroadError(f"the copy of {file.path} is not what was written")
    if place.exists():
        if place.read_bytes() == octets:
            return False
        raise PostroadError(f"{place} is there already and another; move it away first")
    with vault.telling():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.touch(mode=0o600 if file.role in SECRET else file.mode & 0o755)
        place.write_bytes(octets)
    return True
