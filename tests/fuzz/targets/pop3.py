"""Answers of POP3 servers: the same however they are cut, and a mail ends where it ends."""

from __future__ import annotations

from services.ingest.pop3.syntax import Block, capabilities, listed, sizes, status, uidls
from tests.fuzz.taking import cut, taken

LARGEST = 2_000


def one_input(data: bytes) -> None:
    """How the network cuts, and what a server says."""
    how, said = taken(data, 2)
    line, _, rest = said.partition(b"\n")
    if answer := status(line):
        assert answer.code == answer.code.upper()
    for mail in listed(sizes(rest), uidls(rest)):
        assert mail.number > 0
        assert mail.size >= 0
        assert mail.uidl.isascii()
    assert "" not in capabilities(rest)
    for line_end in (b"\r\n", b"\n"):
        whole = block(rest, b"", line_end)
        assert block(rest, how or b"\0", line_end) == whole
        if whole is not None:
            content, behind = whole
            assert len(content) + len(behind) <= len(rest)


def block(said: bytes, how: bytes, line_end: bytes) -> tuple[bytes, bytes] | None:
    """What an answer holds and what follows it; None where it is too long or has no end."""
    found, behind = Block(line_end, LARGEST), b""
    ended = False
    try:
        for piece in cut(said, how):
            if ended:
                behind += piece
            elif (rest := found.feed(piece)) is not None:
                ended, behind = True, rest
        return (found.content(), behind) if ended else None
    except ValueError:
        return None
