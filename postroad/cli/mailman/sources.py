"""The files of a Mailman, found and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from postroad.cli.mailman import answers, configpck, pickles, rosters
from postroad.cli.mailman.form import OldList, OldPerson, Unreadable
from postroad.cli.mailman.rosters import Joined
from postroad.runtime.errors import UsageError

LARGEST = 500_000_000  # octets of one file
BLANK = " \t\r\n,"
PICKLE = "config.pck"


def mailman3(path: Path) -> tuple[list[OldList], int]:
    """Lists in a folder (or one file) of answers of the REST API, and how many answers were of no
    known kind. Raises UsageError naming the file."""
    files = (
        sorted(one for one in path.rglob("*.json") if one.is_file()) if path.is_dir() else [path]
    )
    found, unknown = answers.lists(one for file in files for one in _documents(file))
    if not found:
        raise UsageError(
            f"{path}: there is no list in it; save what the REST API answers, as "
            "docs/examples/mailman3-export.sh does"
        )
    return found, unknown


def mailman2(path: Path, *, address: str = "", role: str = "member") -> list[OldList]:
    """Lists of Mailman 2: a `config.pck`, a folder with such in it, or the text that
    `list_members` wrote of the list `address`. Raises UsageError naming the file."""
    if path.is_dir():
        files = sorted(path.rglob(PICKLE))
        if not files:
            raise UsageError(f"{path}: there is no {PICKLE} in this folder")
        if address and len(files) > 1:
            raise UsageError(f"--list is for one list, and {path} has {len(files)}")
        joined = rosters.joined(_logs(path))
        return [_pickled(file, address, joined) for file in files]
    data = _octets(path)
    if not data.strip():
        raise UsageError(f"{path}: the file is empty")
    if path.name.endswith(".pck") or data[:1] in (b"\x80", b"}", b"("):
        return [_pickled(path, address, Joined())]
    if not address:
        raise UsageError(f"{path}: say with --list of which list these are the members")
    return [OldList(address=address, people=tuple(_people(path, data, role)))]


def _documents(file: Path) -> Iterator[object]:
    """The JSON documents of a file: one, or several behind each other."""
    try:
        text = _octets(file).decode("utf-8-sig")
        decoder = json.JSONDecoder()
        at = 0
        while at < len(text):
            if text[at] in BLANK:
                at += 1
                continue
            document, at = decoder.raw_decode(text, at)
            yield document
    except (ValueError, RecursionError) as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
        raise UsageError(
            f"{file}: this is {what}; save the answers of the REST API again"
        ) from None


def _pickled(file: Path, address: str, joined: Joined) -> OldList:
    try:
        return configpck.old_list(pickles.load(_octets(file)), address=address, joined=joined)
    except Unreadable as error:
        raise UsageError(f"{file}: {error}") from None


def _people(file: Path, data: bytes, role: str) -> Iterable[OldPerson]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\x00" in text:
        raise UsageError(f"{file}: this is neither a {PICKLE} nor a text of members")
    return rosters.people(text, role)


def _logs(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("subscribe*")):
        if file.is_file() and file.suffix != ".gz":
            yield _octets(file).decode("utf-8", "replace")


def _octets(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{file}: it has more than {LARGEST:,} octets")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
