"""What comes behind DATA, piece by piece. Pure.

Only CRLF.CRLF ends a mail (RFC 5321 section 4.1.1.4). Whatever else some server somewhere takes
for its end (a dot between bare LFs, or bare CRs, or NULs) makes the mail one that nobody can pass
on safely: it is read to its true end, and has a `fault` (SMTP smuggling, CVE-2023-51764).
"""

from __future__ import annotations

_END = b"\r\n.\r\n"


class Content:
    """The octets of one mail, without the dots that stand before dots at the start of lines.

    `size` counts them; `ended` tells that the end was found, and `rest` is what came behind it.
    `fault` says in words for the client why it must not be taken, "" where it may.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ended = False
        self.rest = b""
        self.fault = ""
        self._held = b"\r\n"  # what may turn out to be the end; as if a line had just ended
        self._begun = False

    def take(self, data: bytes) -> bytes:
        """The part of the mail that is certain once `data` was read; nothing after its end."""
        data = self._held + data
        end = data.find(_END)
        if end >= 0:
            self.ended, self.rest, self._held = True, data[end + 5 :], b""
            piece = data[: end + 2]
        else:
            cut = data.find(b"\r", max(0, len(data) - 4))
            cut = len(data) if cut < 0 else cut
            piece, self._held = data[:cut], data[cut:]
        line_ends = piece.count(b"\r\n")
        if piece.count(b"\r") != line_ends:
            self.fault = self.fault or "a CR stands alone in the mail"
        elif piece.count(b"\n") != line_ends:
            self.fault = self.fault or "a LF stands alone in the mail"
        elif b"\0" in piece:
            self.fault = self.fault or "there is a NUL octet in the mail"
        piece = piece.replace(b"\r\n.", b"\r\n")
        if piece and not self._begun:
            self._begun, piece = True, piece[2:]
        self.size += len(piece)
        return piece
