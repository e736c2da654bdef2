"""Logins on disk: a file each in `state_dir/oauth`, replaced as a whole, locked by a file beside.

The lock is flock(2): the kernel releases it when its holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.refusals import Refusal, TokenError
from postroad.runtime.secretfile import private_directory
from postroad.runtime.synced import sync

LOCK_SECONDS = 20.0  # longer than one question to an endpoint may take
Version = tuple[int, int, int]  # changes with every write: inode, time of change in ns, size


class Failure(msgspec.Struct, frozen=True):
    """The last renewal failed: why, when, how often in a row, for how long to ask no more (s), and
    the digest of what was asked."""

    refusal: Refusal
    at: Stamp
    times: int
    pause: float
    asked: str


class Login(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of a login. `lifetime` (s) counts from `issued`, a moment before the token was
    asked for; `turned_down` how often in a row it was renewed because a server refused it."""

    refresh_token: str = ""
    access_token: str = ""
    lifetime: float = 0.0
    issued: Stamp | None = None
    since: float = 0.0  # when a person logged in, seconds since 1970
    turned_down: int = 0
    failure: Failure | None = None

    def __repr__(self) -> str:
        return "Login(...)"  # tokens stand in no log and no traceback

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Store:
    """The logins of one installation."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "oauth"

    def version(self, identity: str) -> Version | None:
        """Which version of a login there is; None where there is none."""
        try:
            found = self._file(identity).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self._file(identity), error) from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, identity: str) -> Login | None:
        """A login, or None. TokenError when the file cannot be read or is none of ours."""
        file = self._file(identity)
        try:
            return msgspec.json.decode(file.read_bytes(), type=Login)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(file, error) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise TokenError(f"{file} is damaged; delete it and log in again") from None

    def write(self, identity: str, login: Login) -> None:
        """Store a login for good: once this returns it outlives a power cut. Raises OSError, or
        SettingsError when there can be no folder for it."""
        private_directory(self._folder)
        file = self._file(identity)
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as written:
                written.write(msgspec.json.encode(login))
                written.flush()
                os.fsync(written.fileno())
            draft.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        sync(self._folder)

    @contextlib.contextmanager
    def locked(self, identity: str, patience: float = LOCK_SECONDS) -> Iterator[None]:
        """Nobody else renews this login within the block. TokenError, not lasting, when another
        holds it for longer than `patience` seconds; blocks the thread."""
        private_directory(self._folder)
        deadline = time.monotonic() + patience
        try:
            handle = os.open(self._folder / f"{identity}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unreadable(self._folder / f"{identity}.lock", error) from None
        try:
            while not _taken(handle):
                if time.monotonic() > deadline:
                    text = "another process of Postroad has been renewing this token for too long"
                    raise TokenError(text, lasting=False)
                time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def _file(self, identity: str) -> Path:
        return self._folder / f"{identity}.json"


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unreadable(file: Path, error: OSError) -> TokenError:
    if isinstance(error, PermissionError):
        text = f"{file} may not be read by uid {os.geteuid()}; change its owner"
        return TokenError(f"{text}, and log in as the user that runs Postroad")
    return TokenError(f"{file}: {(error.strerror or 'cannot be read').lower()}", lasting=False)
