"""Answers of IMAP servers: the same however they are cut, and never an error of ours."""

from __future__ import annotations

import contextlib

from services.ingest.framing import Framer, Response
from services.ingest.syntax import (
    bodies,
    folder_argument,
    listed,
    ranges,
    response_code,
    searched,
    uid_set,
)
from tests.fuzz.taking import cut, taken, text


def one_input(data: bytes) -> None:
    """How the network cuts, and what a server says."""
    sizes, said = taken(data, 2)
    whole = framed(said, b"")
    assert framed(said, sizes or b"\0") == whole
    lines = [line for response in whole for line in response]
    uids = searched(lines)
    assert uids == sorted(set(uids))
    if uids:
        assert ranges(uids)[0][0] == uids[0]
        assert uid_set(uids)
    for row in listed(lines):
        assert 0 <= row.uid < 1 << 34
        assert row.arrived is None or row.arrived.utcoffset() is not None
    held = sum(map(len, lines))
    assert sum(map(len, bodies(lines).values())) <= held
    assert (response_code(lines, "UIDVALIDITY") or 0) >= 0
    with contextlib.suppress(ValueError):
        argument = folder_argument(text(sizes))
        assert argument.isascii()
        assert argument.isprintable()


def framed(said: bytes, sizes: bytes) -> list[Response]:
    """The responses in these octets."""
    framer, found = Framer(), []
    with contextlib.suppress(ValueError):
        for piece in cut(said, sizes):
            for response in framer.feed(piece):
                found.append(response)  # noqa: PERF402  those before a fault count
    return found
