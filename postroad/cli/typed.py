"""Settings of a list as they are typed, made ready for membership: texts from files, no secrets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from postroad.runtime.errors import UsageError

LINES = ("header", "footer")


def texts(typed: Mapping[str, str]) -> dict[str, str]:
    """The settings as typed, with the text of a file where one was named (`footer=@FILE`), and of a
    password only its hash. Raises UsageError where a file cannot be read, or a password stands on
    the command line."""
    return {word: _text(word, value) for word, value in typed.items()}


def _text(word: str, value: str) -> str:
    name = word.rstrip("+-").rstrip()
    if name == "moderator_password" and value:
        return _hash(value)
    if name in (*LINES, "header_matches") and value.startswith("@"):
        return _read(word, value[1:])
    return value.replace(r"\n", "\n") if name in LINES else value


def _read(word: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: it is not UTF-8
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"{word}=@{file}: cannot be read: {why}") from None


def _hash(value: str) -> str:
    from postroad.mail import approval

    if value == "-":
        password = sys.stdin.readline()
    elif value.startswith("@"):
        password = _read("moderator_password", value[1:])
    else:
        raise UsageError(
            "moderator_password: on the command line others could read it; put it into a file and "
            "give moderator_password=@FILE, or moderator_password=- to type it"
        )
    try:
        return approval.hashed(password, os.urandom(approval.SALT))
    except ValueError as error:
        raise UsageError(f"moderator_password: {error}") from None
