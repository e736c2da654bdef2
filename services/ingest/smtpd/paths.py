"""The arguments of MAIL and RCPT: a path in brackets, and parameters (RFC 5321 4.1.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from postroad.mail.addresses import parse_address
from postroad.mail.words import FORBIDDEN

_PATH = re.compile(
    r"""[ ]?<( (?:"(?>(?:[^"\\]|\\.)*)")? [^<>"\x00-\x20\x7f]* )> ((?:[ ][^ ]+)*) [ ]*""",
    re.VERBOSE,
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_OCTETS = 1_000  # of a sender: those of others' VERP and SRS pass the 64 of its local part


@dataclass(frozen=True, slots=True)
class Path:
    """A path without its brackets, "" for the null one, and its parameters in capitals."""

    address: str
    parameters: Mapping[str, str]


def read_path(argument: str, keyword: str) -> Path | None:
    """`<ada@example.org> SIZE=3` behind `FROM:` or `TO:`; None where it is not of that form."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.fullmatch(argument, len(keyword))
    if found is None:
        return None
    parameters: dict[str, str] = {}
    for word in found[2].split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None or parameter[1].upper() in parameters:
            return None
        parameters[parameter[1].upper()] = parameter[2] or ""
    return Path(found[1], parameters)


def sender(path: Path) -> str | None:
    """The sender as we record it; None for what is no address. It is never written to without a
    check of its own, so what is odd but whole is taken as it is."""
    local, at, domain = path.address.rpartition("@")
    whole = bool(local and at and domain) or path.address == ""
    whole = whole and not FORBIDDEN.search(path.address)
    return path.address if whole and len(path.address.encode()) <= _OCTETS else None


def recipient(path: Path, domain: str) -> str | None:
    """The recipient in the form to send to; None for what is no address. `<postmaster>` alone is
    whoever runs the `domain` (RFC 5321 4.5.1)."""
    alone = path.address.lower() == "postmaster"
    found = parse_address(f"postmaster@{domain}" if alone else path.address)
    return str(found) if found is not None else None
