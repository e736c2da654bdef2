"""Merge fields in a text: `$listname` or `${listname}`, from a fixed list of names; `$$` is a `$`.

No template language: a field is replaced by its value once, and a value is never looked into. The
names are Mailman's, but for `leave_email` and `unsubscribe`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from postroad.mail.addresses import Form, sub_address
from postroad.mail.listheaders import list_id

OF_LIST = (
    "display_name",
    "listname",
    "list_id",
    "short_listname",
    "domain",
    "description",
    "request_email",
    "owner_email",
    "leave_email",
)
OF_PERSON = ("user_email", "unsubscribe")
NAMES = (*OF_LIST, *OF_PERSON)

Pieces = tuple[str, ...]
"""A text in pieces: literal text first, then by turns the name of a field and literal text."""

_FIELD = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[^{}\n]*)\})", re.ASCII
)


def parse(text: str) -> Pieces:
    """A text as typed, in pieces. A `$` that begins no name is literal. Raises ValueError for an
    unknown field, with the nearest right one."""
    pieces = [""]
    at = 0
    for found in _FIELD.finditer(text):
        pieces[-1] += text[at : found.start()]
        at = found.end()
        if found["dollar"]:
            pieces[-1] += "$"
        else:
            pieces += (_known(found["name"] or found["braced"]), "")
    pieces[-1] += text[at:]
    return tuple(pieces)


def fill(pieces: Sequence[str], values: Mapping[str, str]) -> Pieces:
    """The pieces with the fields of `values` made literal; others stay."""
    filled = [pieces[0]]
    for name, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in values:
            filled[-1] += values[name] + literal
        else:
            filled += (name, literal)
    return tuple(filled)


def of_list(address: str, form: Form, display_name: str, description: str) -> Mapping[str, str]:
    """The values of every field of a list."""
    short, _, domain = address.rpartition("@")
    return {
        "display_name": display_name,
        "listname": address,
        "list_id": list_id(address),
        "short_listname": short,
        "domain": domain,
        "description": description,
        "request_email": sub_address(address, "request", form),
        "owner_email": sub_address(address, "owner", form),
        "leave_email": sub_address(address, "leave", form),
    }


def _known(name: str) -> str:
    if name in NAMES:
        return name
    near = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.5)
    remedy = (
        f"did you mean ${near[0]}?" if near else f"there are {', '.join(map('${}'.format, NAMES))}"
    )
    raise ValueError(f"there is no merge field ${name}; {remedy}")
