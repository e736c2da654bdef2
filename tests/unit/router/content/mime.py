"""Mails for the content filter, made of parts."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = b"From: ann@example.org\r\nSubject: Hi\r\nMIME-Version: 1.0\r\n"


@dataclass(frozen=True)
class Part:
    """A part of a mail: a type, a body, a file name; or parts in it."""

    type: str
    body: bytes = b"x"
    name: str = ""
    parts: tuple[Part, ...] = ()

    def octets(self, number: str = "0") -> bytes:
        """The part with its header. Boundaries are one the beginning of the other."""
        if self.parts:
            boundary = f"=_{number}"
            inner = b"".join(
                b"--%b\r\n%b\r\n" % (boundary.encode(), part.octets(f"{number}{at}"))
                for at, part in enumerate(self.parts)
            )
            head = f'Content-Type: {self.type}; boundary="{boundary}"\r\n\r\n'
            return head.encode() + inner + f"--{boundary}--\r\n".encode()
        head = f"Content-Type: {self.type}\r\n"
        if self.name:
            head += f'Content-Disposition: attachment; filename="{self.name}"\r\n'
        return head.encode() + b"\r\n" + self.body


def multipart(kind: str, *parts: Part) -> Part:
    """A multipart of this kind."""
    return Part(f"multipart/{kind}", parts=parts)


def mail(part: Part, number: str = "0") -> bytes:
    """A mail that is this part; `number` begins its boundaries."""
    return HEAD + part.octets(number)


TEXT = Part("text/plain", b"Hello\r\n")
HTML = Part("text/html; charset=utf-8", b"<p>Hello <b>all</b>\r\n")
PDF = Part("application/pdf", b"%PDF\r\n\x00\xff", "paper.pdf")
EXE = Part("application/octet-stream", b"MZ", "game.exe")
SIGNATURE = Part("application/pgp-signature", b"iQ", "signature.asc")
