"""Whether an author's signature still holds on our copies (DKIM, RFC 6376). Pure.

A signature is over the body and the fields that its `h=` names; where we change nothing of these,
and who verified it found it good, it is good on the copy as well. Told by octets, so that what a
relaxed reader would forgive counts as changed: to be wrong must mean a munged From, not a refused
mail. Never raises.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from postroad.mail import wire
from postroad.mail.domains import normalise_domain
from postroad.mail.edits import apply
from postroad.mail.fields import fields
from schemas.mail import HeaderEdit

_SIGNATURES = 20  # of one mail that are looked at
_NAMES = 200  # in one `h=`
_BLANKS = re.compile(r"[ \t\r\n]+")


class _Signature(NamedTuple):
    domain: str
    names: tuple[str, ...]  # of the fields it is over, in lower case, as often as it names them


def survives(block: bytes, edits: Iterable[HeaderEdit], domains: Collection[str]) -> bool:
    """Whether a signature of one of these `domains` (lower case, A-labels) on the mail with this
    header block holds after `edits`, while the body stays.

    Of a domain with several all must hold: who found one good does not always say which.
    """
    before = wire.canonical(block)
    signatures = [each for each in _signatures(before) if each.domain in domains]
    if not signatures:
        return False
    after = apply(before, edits)
    old, new = _values(before), _values(after)
    signed = {each.domain for each in signatures}
    broken = {each.domain for each in signatures if _covered(each, old) != _covered(each, new)}
    return bool(signed - broken)


def _signatures(block: bytes) -> Iterator[_Signature]:
    values = _values(block).get("dkim-signature", ())
    for value in values[:_SIGNATURES]:
        tags = _tags(value.decode("ascii", "replace"))
        names = tuple(name.lower() for name in tags.get("h", "").split(":") if name)
        try:
            domain = normalise_domain(tags.get("d", "").lower())
        except ValueError:
            continue
        if "from" in names and len(names) <= _NAMES:
            yield _Signature(domain, (*names, "dkim-signature"))


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip(): _BLANKS.sub("", value) for name, _, value in parts}


def _values(block: bytes) -> dict[str, list[bytes]]:
    """The fields of each name, in lower case, as they stand, from the top."""
    found: dict[str, list[bytes]] = {}
    for field in fields(block):
        name = field.name.decode("ascii").lower()
        found.setdefault(name, []).append(block[field.value_start : field.value_end])
    return found


def _covered(signature: _Signature, values: dict[str, list[bytes]]) -> list[list[bytes]]:
    """What it is over: of each name as many fields as it names, from the bottom (5.4.2)."""
    often = Counter(signature.names)
    return [values.get(name, [])[-count:] for name, count in often.items()]
