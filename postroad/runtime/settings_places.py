"""What stands at the paths where relays are: a Maildir, an mbox or a socket, or nothing yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from postroad.runtime.settings import Relay

_OF_MAILDIR = {"new", "cur", "tmp"}


def check_place(relay: Relay) -> Iterator[str]:
    """Nothing at the path that mail cannot be given to. Looks, and changes nothing."""
    if relay.path is None:
        return
    try:
        wrong = _no_socket(relay.path) if relay.kind == "lmtp" else _no_store(relay)
    except PermissionError:
        wrong = f"{relay.path} may not be reached by uid {os.geteuid()}; see who owns its folders"
    except OSError as error:
        wrong = f"{relay.path}: {(error.strerror or 'cannot be read').lower()}"
    if wrong:
        yield f'[[relay]] "{relay.name}" path: {wrong}'


def warn_place(relay: Relay) -> Iterator[str]:
    """A socket that is not there: whoever makes it may be started after us."""
    if relay.kind == "lmtp" and relay.path is not None and not os.path.lexists(relay.path):
        yield (
            f'[[relay]] "{relay.name}" path: nothing listens at {relay.path}; '
            "start the LMTP server, or correct path"
        )


def _no_socket(path: Path) -> str:
    if path.is_socket() or not path.exists():
        return ""
    return (
        f"{path} is not a socket; name the one where the LMTP server listens, "
        "such as /run/dovecot/lmtp"
    )


def _no_store(relay: Relay) -> str:
    path = relay.path
    assert path is not None
    folder = path.parent
    if not folder.exists():
        return (
            f"the folder {folder} does not exist; create it, writable for the user that runs "
            "Postroad, or correct path"
        )
    if not folder.is_dir():
        return f"{folder} is not a folder; name another place"
    if not path.exists():
        return ""
    if relay.mbox:
        return (
            f"{path} is a folder, and an mbox is a file; name a file in it" if path.is_dir() else ""
        )
    if not path.is_dir():
        return f"{path} is a file, and a Maildir is a folder; end it in .mbox, or name a folder"
    held = {entry.name for entry in path.iterdir()}
    if held and not held & _OF_MAILDIR:
        return f"{path} holds other things and is no Maildir; name a folder in it"
    return ""
