"""Files, disk and Python of this machine."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from postroad.cli.doctor.judge.machine import Secret, State
from postroad.runtime import secretfile
from postroad.runtime.config import Config, Relay, Source
from postroad.runtime.embedded import is_running
from postroad.runtime.errors import SettingsError
from postroad.runtime.machine import full_below, narrowest, nearest, room
from postroad.runtime.plainly import at, of_a_place
from services.ingest.glance import Glance
from services.ingest.maildir.store import SUBS, Store

OCTETS = 4096  # that are written to see whether anything can be


def secrets(config: Config) -> list[Secret]:
    """Every file that holds a secret, each once."""
    state = config.site.state_dir
    found: dict[Path, Secret] = {}
    for what, path in _named(config):
        if path is not None:
            found.setdefault(path, _secret(what, path, may_be_empty=False))
    own = [state / "site.key", state / "broker" / "access.json", *_tokens(state)]
    for path in own:
        if _there(path):
            found.setdefault(path, _secret("state_dir", path, may_be_empty=True))
    return list(found.values())


def _named(config: Config) -> Iterator[tuple[str, Path | None]]:
    yield "[site] secret_file", config.site.secret_file
    yield "[broker] creds_file", config.broker.creds_file
    for domain in config.domain:
        for key, path, _ in domain.signing:
            yield f'[[domain]] "{domain.name}" {key}', path
    for kind, accounts in (("source", config.source), ("relay", config.relay)):
        for account in accounts:
            where, oauth2 = f'[[{kind}]] "{account.name}"', account.oauth2
            yield f"{where} password_file", account.password_file
            yield f"{where} client_secret_file", oauth2.client_secret_file if oauth2 else None
    for relay in config.relay:
        yield f'[[relay]] "{relay.name}" token_file', relay.token_file


def _tokens(state: Path) -> list[Path]:
    try:
        return sorted((state / "oauth").glob("*.json"))
    except OSError:
        return []


def _secret(what: str, path: Path, *, may_be_empty: bool) -> Secret:
    problem, mode = "", 0
    try:
        if may_be_empty:
            with at(path):
                path.read_bytes()
        else:
            secretfile.read_secret(path, what)
        mode = stat.S_IMODE(path.stat().st_mode)
    except SettingsError as error:
        problem = str(error)
    except OSError as error:
        why = f"{path}: {(error.strerror or 'cannot be read').lower()}"
        if isinstance(error, PermissionError) or not (told := of_a_place(error)):
            told = f"{why}; run as the user that runs Postroad"
        problem = f"{what}: {told}"
    return Secret(what, str(path), mode, problem)


def state(config: Config) -> State:
    """state_dir, or the nearest folder above it that exists."""
    path = config.site.state_dir
    place = nearest(path)
    free, total = room(narrowest(path))
    writable = os.access(place, os.W_OK | os.X_OK)
    problem, mode, runs = "", 0o700, False
    try:
        if place == path:
            mode = stat.S_IMODE(path.stat().st_mode)
            runs = config.broker.embedded and is_running(path)
        if writable:
            _tried(place)
    except OSError as error:
        if error.errno != errno.ENOSPC or free >= full_below(total):  # which says more
            problem = of_a_place(error) or f"{place}: {(error.strerror or str(error)).lower()}"
    return State(
        path=str(path),
        there=place == path,
        mode=mode,
        writable=writable,
        free=free,
        total=total,
        journal=_unusable(path / "sender"),
        problem=problem,
        runs=runs,
    )


def _tried(folder: Path) -> None:
    """Read a folder, and write a nameless file in it. Raises OSError: a disk that fails has its
    permissions yet."""
    next(folder.iterdir(), None)
    with at(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(OCTETS))
        file.flush()
        os.fsync(file.fileno())


def _unusable(folder: Path) -> str:
    """Why nothing can be written into a folder that is there already."""
    if not _there(folder):
        return ""
    if not folder.is_dir():
        return "is no folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "cannot be written by this user"


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is not for us
        return False


def writable(relay: Relay) -> str:
    """Why copies cannot be stored at the path of a relay of kind file, "" where they can. Nothing
    is created: where there is nothing yet, its folder is what counts."""
    path = relay.path
    assert path is not None
    try:
        if not path.exists():
            path = path.parent
        elif path.is_dir() == relay.mbox:
            return "is a folder, and a name in .mbox is a file's" if relay.mbox else "is no folder"
        elif path.is_dir():
            path = path / "new" if (path / "new").exists() else path
        if not path.exists():
            return f"there is no folder {path}"
    except OSError as error:
        return (error.strerror or "cannot be read").lower()
    return "" if os.access(path, os.W_OK) else "may not be written by this user"


def maildir(source: Source) -> tuple[Glance, str]:
    """A Maildir, and why it cannot be used, "" where it can. Nothing in it is changed."""
    assert source.path is not None
    place = source.path if source.folder == "INBOX" else source.path / f".{source.folder}"
    try:
        with Store(source.path, source.folder) as store:
            waits = [entry.mail.waits for entry in store.entries()]
    except OSError as error:
        return Glance(), f"cannot be read: {(error.strerror or 'no Maildir').lower()}"
    if not all(os.access(place / sub, os.W_OK | os.X_OK) for sub in SUBS):
        return Glance(), "may not be changed by this user"
    return Glance(mails=len(waits), unread=sum(waits)), ""
