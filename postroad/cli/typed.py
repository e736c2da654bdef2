"""Settings of a list as they are typed, made ready for membership: texts from files, no secrets."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from collections.abc import Mapping
from typing import BinaryIO

from postroad.runtime.errors import UsageError

LINES = ("header", "footer", "dmarc_wrapped_message_text")
MATCHES = "header_matches"
PASSWORD = "moderator_password"  # noqa: S105  the name of a setting
LARGEST = 100_000  # octets of a file of values: 200 of them, of 500 octets
OCTETS = 4  # of one character in UTF-8, at most (RFC 3629)


def texts(typed: Mapping[str, str]) -> dict[str, str]:
    """The settings as typed, with the text of a file where one was named (`footer=@FILE`), and of a
    password only its hash. Where `@NAME` means a domain or a list (`bans`), a file is one whose
    path has a slash. Raises UsageError where a file cannot be read or is too long, or a password
    stands on the command line."""
    return {word: _text(word, value) for word, value in typed.items()}


def _text(word: str, value: str) -> str:
    from services.membership import settings

    name = word.rstrip("+-").rstrip()
    if name == PASSWORD and value:
        return _hash(value)
    if name in LINES:
        if value.startswith("@"):
            return _lines(word, value[1:], settings.LINES_LIMIT)
        return value.replace(r"\n", "\n")
    several = isinstance(getattr(settings.DEFAULT, name, None), tuple)
    if several and value.startswith("@") and (name == MATCHES or "/" in value):
        too_long = f"it is longer than {LARGEST:,} octets"
        return _read(word, value[1:], LARGEST, too_long)
    return value


def _lines(word: str, file: str, most: int) -> str:
    too_long = f"the text is too long; {word} takes at most {most:,} characters"
    text = _read(word, file, most * OCTETS, too_long)
    if len(text.strip()) > most:
        raise UsageError(f"{word}=@{file}: {too_long}, and there are {len(text.strip()):,}")
    return text


def _read(word: str, file: str, most: int, too_long: str) -> str:
    """The text of a file or pipe of at most so many octets."""
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116  a name such as `a\\n` is no path of ours
        if stat.S_ISDIR(mode):
            raise UsageError(f"{word}=@{file}: cannot be read: it is a folder; name a file in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):  # a device may have no end
            raise UsageError(f"{word}=@{file}: cannot be read: it is neither a file nor a pipe")
        with open(file, "rb") as stream:  # noqa: PTH123
            return _decoded(stream, most, too_long)
    except FileNotFoundError:
        raise UsageError(f"{word}=@{file}: there is no file {file}") from None
    except (OSError, ValueError) as error:  # ValueError: what is wrong with its content, or name
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{word}=@{file}: {why}") from None


def _decoded(stream: BinaryIO, most: int, too_long: str) -> str:
    """The text in UTF-8. Raises ValueError, and reads no more than that takes."""
    data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(too_long)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None


def _hash(value: str) -> str:
    from postroad.mail import approval

    if value != "-" and not value.startswith("@"):
        raise UsageError(
            f"{PASSWORD}: on the command line others could read it; put it into a file and "
            f"give {PASSWORD}=@FILE, or {PASSWORD}=- to type it"
        )
    most = approval.LONGEST * OCTETS
    wanted = f"one line of {approval.SHORTEST} to {approval.LONGEST} characters"
    try:
        if value != "-":
            password = _read(PASSWORD, value[1:], most, f"it must be {wanted}")
        elif sys.stdin.isatty():
            password = getpass.getpass("Password: ")
        else:
            password = _decoded(sys.stdin.buffer, most, f"it must be {wanted}")
        if len(password.strip().splitlines()) > 1:
            raise ValueError(f"there are several lines; it must be {wanted}")
        return approval.hashed(password, os.urandom(approval.SALT))
    except EOFError:
        raise UsageError(f"{PASSWORD}: nothing was typed; it must be {wanted}") from None
    except ValueError as error:
        raise UsageError(f"{PASSWORD}: {error}") from None
