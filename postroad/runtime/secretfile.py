"""Secrets live in files of their own, never in settings, environment or argv."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from postroad.runtime.errors import SettingsError
from postroad.runtime.plainly import at, of_a_place
from postroad.runtime.synced import sync

KEY_BYTES = 32


def read_secret(path: Path, what: str) -> str:
    """The text of a secret file without surrounding white space.

    Raises SettingsError naming `what`, the file and the remedy when it is missing, unreadable,
    empty or not UTF-8. The content is never part of a message.
    """
    try:
        with at(path):
            text = path.read_bytes().decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"{what}: {path} is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{what}: {_complaint(path, error)}") from None
    if not text:
        raise SettingsError(f"{what}: {path} is empty; write the secret into it")
    return text


def exposed(path: Path) -> bool:
    """Whether every user of this machine may read the file."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def private_directory(path: Path) -> None:
    """Create a directory (0700) where there is none; SettingsError when that cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"[site] state_dir: {_complaint(path, error)}") from None


def replace_private(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Write a file of ours (0600) anew: whoever reads it meanwhile has the old one whole. With
    `lasting` it outlives a power cut once this returns. Raises OSError, or SettingsError where
    there can be no folder for it."""
    private_directory(path.parent)
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with at(new), os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)  # it may have been there
        file.write(data)
        if lasting:
            file.flush()
            os.fsync(handle)
    new.replace(path)
    if lasting:
        sync(path.parent)


def read_key(path: Path) -> bytes:
    """32 bytes from a key file: its bytes when it holds exactly 32, else SHA-256 of its text.

    Raises SettingsError when it is missing, unreadable, or holds fewer than 32 bytes.
    """
    what = "[site] secret_file"
    try:
        with at(path):
            raw = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(
            f"{what}: {path} does not exist; put back the one from your backup, or, before the "
            f"first start, make one with: openssl rand -hex 32 > {path}"
        ) from None
    except OSError as error:
        raise SettingsError(f"{what}: {_complaint(path, error)}") from None
    if len(raw) == KEY_BYTES:
        return raw
    if len(raw.strip()) < KEY_BYTES:
        raise SettingsError(
            f"{what}: {path} holds fewer than {KEY_BYTES} bytes; "
            f"make one with: openssl rand -hex 32 > {path}"
        )
    return hashlib.sha256(raw.strip()).digest()


def create_key(path: Path) -> bytes:
    """The key in `path`; made of 32 random bytes, mode 0600, where there is none yet.

    Several processes may start at once: the key is written beside and linked into place, so
    that all of them read the same 32 bytes, and is on the disk before anybody uses it.
    """
    private_directory(path.parent)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with at(draft), os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was faster: its key is the key
            finally:
                draft.unlink()
            sync(path.parent)
        except OSError as error:
            raise SettingsError(f"[site] state_dir: {_complaint(path, error)}") from None
    return read_key(path)


def _complaint(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist; create it, readable only by the user that runs Postroad"
    if isinstance(error, PermissionError):
        return f"{path} may not be read by uid {os.geteuid()}; change its owner or mode"
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder; name a file in it"
    return of_a_place(error) or f"{path}: {(error.strerror or 'cannot be read').lower()}"
