"""Whether an address or a name stands anywhere on a disk or in a stream, in any of six encodings:
UTF-8, UTF-16, base64, quoted (URL, quoted-printable, xtext), hexadecimal, JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from postroad.runtime.broker import Broker
from schemas import subjects


def _base64(word: str) -> Iterator[bytes]:
    """What of a base64 text, of either alphabet, a word decides alone, wherever it begins."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + word.encode())
        alone = text[(8 * before + 5) // 6 : 8 * (before + len(word.encode())) // 6].lower()
        yield from {alone, alone.translate(bytes.maketrans(b"+/", b"-_"))}


def _quoted(word: str) -> Iterator[bytes]:
    yield quote(word, safe="").encode()
    yield quote(word, safe="").replace("%", "=").encode()
    yield quote(word, safe="@").replace("%", "=").encode()
    yield quote(word, safe="").replace("%", "+").encode()


# how a word may stand in lower-case octets, by the name of the encoding
ENCODINGS: Mapping[str, Callable[[str], Iterator[bytes]]] = {
    "utf-8": lambda word: iter([word.encode()]),
    "utf-16": lambda word: iter([word.encode("utf-16-le"), word.encode("utf-16-be")]),
    "base64": _base64,
    "quoted": _quoted,
    "hex": lambda word: iter([word.encode().hex().encode()]),
    "json": lambda word: iter([json.dumps(word)[1:-1].encode()]),
}


def tells(data: bytes, word: str) -> str:
    """In which encoding these octets hold the word, whatever its case; empty for none. Base64 is
    looked for of the word as it is and in lower case."""
    folded = data.lower()
    for name, encode in ENCODINGS.items():
        for spelled in {word, word.lower()}:
            if any(needle.lower() in folded for needle in encode(spelled)):
                return name
    return ""


def in_files(folder: Path, word: str) -> list[str]:
    """The files below a folder that hold the word."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if tells(path.read_bytes(), word)]


async def in_streams(broker: Broker, word: str) -> set[str]:
    """The streams with a message that holds it in subject, headers or data, as the broker gives
    them: its files may be compressed."""
    return {
        stream.name
        for stream in subjects.STREAMS
        async for stored in broker.scan(stream.name, ">")
        if tells(f"{stored.subject} {dict(stored.headers)} ".encode() + stored.data, word)
    }
