"""What the sink's conversations share: the record file, the script, and what is noted of a mail."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from pathlib import Path

from tests.peers.sinkscript import Hits, Script

FOLD = re.compile(rb"\r\n(?=[ \t])")
to_json = json.JSONEncoder(separators=(",", ":")).encode


def text_of(octets: bytes) -> str:
    """Any octets as text from which they can be had back."""
    return octets.decode("utf-8", "surrogateescape")


def facts(data: bytes) -> dict[str, object]:
    """What is noted of a mail's data; the names are those of tests.peers.records."""
    head, _, body = (b"\r\n" + data).partition(b"\r\n\r\n")
    fields: dict[bytes, bytes] = {}
    for line in FOLD.sub(b"", head).split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields.setdefault(name.strip().lower(), value.strip())
    return {
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "message_id": text_of(_message_id(fields)),
        "list_id": text_of(fields.get(b"list-id", b"").rpartition(b"<")[2].rstrip(b">")),
        "trace": text_of(fields.get(b"x-postroad-trace", b"")),
        "headers": text_of(head[2:]),
    }


def _message_id(fields: dict[bytes, bytes]) -> bytes:
    """The post's: a copy may have one of its own, where the provider writes them anew."""
    return fields.get(b"x-original-message-id") or fields.get(b"message-id", b"")


class Book:
    """What all conversations share: the record file, the script and its counters."""

    def __init__(self, records: Path, script: Path, keep: Path | None) -> None:
        self._keep = keep
        self._serial = itertools.count(1)
        self.connections = itertools.count(1)
        self._records = os.open(records, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._script = script
        self._known: tuple[int, int] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read the script if it is not the one we know."""
        state = self._script.stat()
        if self._known == (state.st_mtime_ns, state.st_ino):
            return
        self._known = state.st_mtime_ns, state.st_ino
        self.script = Script.from_json(self._script.read_text())
        self.hits = Hits(self.script)
        sizes = [int(word[5:]) for word in self.script.extensions if word.startswith("SIZE ")]
        self.size = sizes[0] if sizes else 1 << 62

    def append(self, lines: list[dict[str, object]]) -> None:
        """Append `lines`; they are the operating system's when this returns."""
        os.write(self._records, "".join(to_json(line) + "\n" for line in lines).encode())

    def store(self, data: bytes) -> str:
        """Keep a mail's data, where told to; the file's name, else ""."""
        if self._keep is None:
            return ""
        file = self._keep / f"{next(self._serial):06}.eml"
        file.write_bytes(data)
        return str(file)
