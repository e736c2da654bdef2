"""Which parts of a mail members get, by the list's settings. Pure: octets in, pieces of them out.

What passes stays octet for octet; what does not is cut out with the delimiter line before it. A
multipart that loses parts and has one left becomes that part. Nothing is serialised anew, but for
HTML that becomes text.

Types are those that parts say they have, file names all those that they give themselves. A
multipart is judged by what is in it, so `pass_types` need not name it; an attached message must
pass by its own type, and so must what is in it. Two multiparts are judged as a whole:

    multipart/signed     while all that is signed passes it stays as it is, signature and all;
                         else what is left takes its place: nobody could verify the signature
    multipart/encrypted  goes where anything in it is filtered by type or name, or where there are
                         `pass_types` and none of them is `multipart/encrypted`
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from postroad.mail.parts import decoded
from postroad.mail.structure import MESSAGES, Entity, Unreadable, below, read
from services.router.content.job import Criteria, Left, Piece
from services.router.content.plaintext import plaintext

NOTHING_LEFT = "nothing in it is of a kind that this list takes"
ENCODED = 3  # attached messages in base64 or quoted-printable, one in the other
_BLANK = 4_000  # octets that are looked at to tell whether there is anything in a text


def filtered(data: bytes, criteria: Criteria) -> Left:
    """What the members of a list get of a whole mail. Raises nothing, whatever its octets are;
    only bad HTML takes longer than linear time (see `worker`)."""
    try:
        left = _Filter(data, criteria).mail(read(data))
    except Unreadable as error:
        return Left(held=f"it cannot be taken apart: {error}")
    if left is None or (left.changed and left.blank):
        return Left(empty=NOTHING_LEFT)
    if not left.changed:
        return Left()
    head = sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in left.head)
    return Left(pieces=_merged((*left.head, *left.body)), head=head, filtered=True)


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left of an entity: the pieces of its header with the empty line, those of its
    Content-* fields alone, and those of its body. `blank` is text without a word."""

    head: tuple[Piece, ...]
    content: tuple[Piece, ...]
    body: tuple[Piece, ...]
    blank: bool
    changed: bool


class _Filter:
    def __init__(self, data: bytes, criteria: Criteria, encoded: int = 0) -> None:
        self._data = data
        self._criteria = criteria
        self._encoded = encoded  # messages that this one was taken out of

    def mail(self, whole: Entity) -> _Left | None:
        """What is left of a mail, our own or an attached one: its header stays, but for the fields
        that describe the body."""
        left = self.part(whole)
        if left is None or not left.changed:
            return left
        kept: list[Piece] = []
        at = whole.start
        for start, end in whole.content:
            kept.append((at, start))
            at = end
        kept.append((at, whole.fields_end))
        if self._data[whole.start : whole.fields_end][-1:] not in b"\r\n":
            kept.append(b"\r\n")
        return replace(left, head=(*kept, *left.content, b"\r\n"))

    def part(self, part: Entity) -> _Left | None:
        """What is left of a part; None where it goes."""
        if self._unwanted(part) or self._unlisted(part):
            return None
        match part.type:
            case "multipart/encrypted":
                return None if any(map(self._unwanted, below(part))) else self._whole(part)
            case "multipart/signed" if len(part.parts) == 2:
                return self._signed(part)
            case _ if part.multipart:
                return self._multipart(part)
            case _ if part.type in MESSAGES:
                return self._message(part)
            case "text/html" if self._criteria.convert_html_to_plaintext:
                return self._converted(part)
        return self._whole(part, blank=self._is_blank(part))

    def _unwanted(self, part: Entity) -> bool:
        """Whether the list wants to be rid of it, by its type or a name of it."""
        return _any_of(_types(part), self._criteria.filter_types) or _any_of(
            _extensions(part), self._criteria.filter_extensions
        )

    def _unlisted(self, part: Entity) -> bool:
        """Whether the list says what may pass, and this is not among it."""
        types, extensions = self._criteria.pass_types, self._criteria.pass_extensions
        if extensions and not set(_extensions(part)).issubset(extensions):
            return True
        if part.type == "multipart/encrypted":  # `multipart` does not say that nobody need look
            return bool(types) and part.type not in types
        return bool(types) and not part.multipart and not _any_of(_types(part), types)

    def _multipart(self, whole: Entity) -> _Left | None:
        left = [(part, found) for part in whole.parts if (found := self.part(part))]
        if not left:
            return None
        if whole.type == "multipart/alternative" and self._criteria.collapse_alternatives:
            left = [next((each for each in left if not each[1].blank), left[0])]
        blank = all(found.blank for _, found in left)
        if len(left) == len(whole.parts) and not any(found.changed for _, found in left):
            return self._whole(whole, blank=blank)
        # what does not say its type may be something else where the multipart stands, in a digest
        if len(left) == 1 < len(whole.parts) and left[0][0].typed:
            return replace(left[0][1], changed=True)
        following = (*(part.line for part in whole.parts[1:]), whole.close)
        next_line = dict(zip((part.line for part in whole.parts), following, strict=True))
        body: list[Piece] = [(whole.body, whole.parts[0].line)]
        for part, found in left:
            body += [(part.line, part.start), *found.head, *found.body]
            body.append((part.end, next_line[part.line]))
        if whole.close == whole.end:  # no line end belongs to a delimiter that is missing
            body.pop()
        body.append((whole.close, whole.end))
        return replace(self._whole(whole, blank=blank), body=tuple(body), changed=True)

    def _signed(self, whole: Entity) -> _Left | None:
        """RFC 1847: the signature is of the first part as it stands, octet for octet."""
        signed, signature = whole.parts
        found = _Filter(self._data, self._criteria.unformed, self._encoded).part(signed)
        if found and not found.changed and not any(map(self._unwanted, below(signature))):
            return self._whole(whole, blank=found.blank)
        left = self.part(signed)
        return replace(left, changed=True) if left else None

    def _message(self, part: Entity) -> _Left | None:
        """An attached message. One that is encoded (RFC 2046 forbids it) stays whole or goes."""
        if part.encoded:
            if self._encoded == ENCODED:
                raise Unreadable("messages that are encoded are attached to each other")
            inner = decoded(self._data[part.body : part.end], part.encoding)
            found = _Filter(inner, self._criteria, self._encoded + 1).mail(read(inner))
            return self._whole(part) if found and not found.changed else None
        left = self.mail(part.parts[0])
        if left is None:
            return None
        body = (*left.head, *left.body) if left.changed else ((part.body, part.end),)
        return replace(self._whole(part), body=body, changed=left.changed)

    def _converted(self, part: Entity) -> _Left:
        octets = decoded(self._data[part.body : part.end], part.encoding)
        fields, text = plaintext(octets, part.params.get("charset", ""))
        return _Left((fields, b"\r\n"), (fields,), (text,), not text.strip(), changed=True)

    def _whole(self, part: Entity, *, blank: bool = False) -> _Left:
        """The part as it stands."""
        head, body = ((part.start, part.body),), ((part.body, part.end),)
        return _Left(head, part.content, body, blank, changed=False)

    def _is_blank(self, part: Entity) -> bool:
        text = self._data[part.body : min(part.end, part.body + _BLANK)]
        return part.type.startswith("text/") and not part.names and not text.strip()


def _types(part: Entity) -> tuple[str, str]:
    return part.type, part.type.partition("/")[0]


def _extensions(part: Entity) -> tuple[str, ...]:
    """What stands behind the last dot of its names, in lower case; systems drop what is behind."""
    names = (name.rstrip(". \t\"'\\").rpartition(".") for name in part.names)
    return tuple(extension.lower() for _, dot, extension in names if dot)


def _any_of(found: Iterable[str], listed: tuple[str, ...]) -> bool:
    return any(each in listed for each in found)


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The same octets in as few pieces as may be."""
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else b""
        if isinstance(piece, bytes):
            if isinstance(last, bytes) and merged:
                merged[-1] = last + piece
            elif piece:
                merged.append(piece)
        elif piece[0] < piece[1]:
            if isinstance(last, tuple) and last[1] == piece[0]:
                merged[-1] = (last[0], piece[1])
            else:
                merged.append(piece)
    return tuple(merged)
