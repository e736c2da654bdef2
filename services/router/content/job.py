"""What a worker is asked and answers, and how much it may take. Pure."""

from __future__ import annotations

import struct

import msgspec

from schemas.lists import ListSettings

JOB = struct.Struct("!II")  # octets of the job and of the mail, which follow
ANSWER = struct.Struct("!I")  # octets of what is left
MEMORY = 256 << 20  # octets, of all that a worker maps
SECONDS = 0.8  # of the processor, for a mail
EX_MEMORY = 77  # how a worker exits where the memory does not suffice

Piece = tuple[int, int] | bytes  # octets of the mail as it came (start, end), or others


class Criteria(msgspec.Struct, frozen=True, array_like=True):
    """The settings of a list that say which parts of a mail its members get."""

    filter_types: tuple[str, ...] = ()
    pass_types: tuple[str, ...] = ()
    filter_extensions: tuple[str, ...] = ()
    pass_extensions: tuple[str, ...] = ()
    collapse_alternatives: bool = True
    convert_html_to_plaintext: bool = False

    @property
    def unformed(self) -> Criteria:
        """The same, but for what only changes the form of a mail."""
        return msgspec.structs.replace(
            self, collapse_alternatives=False, convert_html_to_plaintext=False
        )

    @classmethod
    def of(cls, settings: ListSettings) -> Criteria:
        """Those of a list."""
        return cls(*(getattr(settings, name) for name in cls.__struct_fields__))


class Job(msgspec.Struct, frozen=True, array_like=True):
    """What is to be made of a mail. `approval`: it gives a moderator's password."""

    criteria: Criteria | None = None
    approval: bool = False


class Left(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is left of a mail: `pieces` in order, none where it stays as it is, and where its body
    begins then; `filtered` is whether parts of it went. Where nothing is left, or it could not be
    done, `empty` or `held` say why, for people; with `password` because of a moderator's password
    that it may still tell."""

    pieces: tuple[Piece, ...] = ()
    head: int = 0
    filtered: bool = False
    empty: str = ""
    held: str = ""
    password: bool = False


def joined(data: bytes, pieces: tuple[Piece, ...]) -> bytes:
    """The mail that these pieces make."""
    view = memoryview(data)
    return b"".join(p if isinstance(p, bytes) else view[p[0] : p[1]] for p in pieces)
