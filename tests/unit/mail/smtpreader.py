"""A strict reader of SMTP data, written from RFC 5321 alone: it shares nothing with our writer."""

from __future__ import annotations


def read_data(stream: bytes) -> tuple[bytes, bytes]:
    """The message at the start of `stream`, dots undone, and what comes after its end.

    Raises ValueError for a bare CR or bare LF and where there is no end.
    """
    message: list[bytes] = []
    rest = stream
    while rest:
        line, crlf, rest = rest.partition(b"\r\n")
        if not crlf:
            break
        if b"\r" in line or b"\n" in line:
            raise ValueError("a bare CR or LF on the wire")
        if line == b".":
            return b"".join(message), rest
        message.append((line[1:] if line[:1] == b"." else line) + b"\r\n")
    raise ValueError("no end of data")
