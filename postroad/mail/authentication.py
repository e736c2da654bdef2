"""Whose mail it really is, as our own mail server found: Authentication-Results (RFC 8601).

A From can be forged, and so can Authentication-Results: only the topmost field that carries the
name of the server we were told to believe counts, because what came in with the mail lies below
what that server puts on top. The server itself has to remove fields that bear its name from mail
coming in (RFC 8601 section 5), as all that are named here do.

The grammar is read as servers write it: comments anywhere, quoted values, and values and
properties looser than the RFC has them (Gmail's base64 in `header.b`, Microsoft's `action=none`,
Fastmail's `x-bits=2048`). What cannot be read in one way proves nothing. Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from postroad.mail.domains import normalise_domain
from postroad.mail.fields import fields
from postroad.mail.words import text_of
from schemas.mail import HeaderFacts

# Exchange Online writes no authserv-id at all. This name stands for its form: the field on top
# of all others, without a name, with a `compauth` result, which nobody else writes.
MICROSOFT365 = "microsoft365"

_CUT = 1_990  # characters; the scanner keeps 2,000, and the last result may be half of one
_RESULTS = 100
_ID = re.compile(r"\s*(\"[^\"]*\"|[^\s\";=]+)(?:\s+\d+)?\s*")
_METHOD = re.compile(r"\s*([A-Za-z][\w-]*)(?:\s*/\s*\d+)?\s*=\s*([A-Za-z][\w-]*)(?!\S)", re.ASCII)
_PROPERTY = re.compile(
    r"\s+([A-Za-z][\w-]*(?:\s*\.\s*[A-Za-z][\w-]*)?)\s*=\s*"
    r"((?>(?:\"(?:[^\"\\]|\\.)*\"|[^\s\"])+))(?!\S)",
    re.ASCII,
)
# Second-level names under which registries of countries sell names to everybody; a short list
# of the usual ones. Whoever owns the zone of one could sign for all names below it.
_REGISTRY = (
    "ac",
    "co",
    "com",
    "edu",
    "gob",
    "gouv",
    "gov",
    "id",
    "ltd",
    "me",
    "mil",
    "ne",
    "net",
    "nom",
    "or",
    "org",
    "plc",
    "sch",
)


class Result(NamedTuple):
    """One `method=result` with its properties (`header.d`), names in lower case."""

    method: str
    result: str
    properties: dict[str, str]


def authenticated(facts: HeaderFacts, authserv_id: str) -> bool:
    """Whether the server `authserv_id` found that the domain of From wrote this mail.

    Proof is a `dkim=pass` of the domain of From or of one above it (never of one below it, nor of
    a top-level or registry name such as co.uk), or a `dmarc=pass` of exactly that domain. A mail
    with more than one From, or with a From that cannot be read whole, has no proof; where no
    `authserv_id` is set, nothing has. `MICROSOFT365` stands for servers that give no name.
    """
    if not authserv_id.strip() or len(facts.from_) != 1:
        return False
    if any(odd == "more than one from" or odd.startswith("from: ") for odd in facts.oddities):
        return False
    domain = facts.from_[0].address.rpartition("@")[2]
    found = believed(facts.auth_results, authserv_id)
    if "." not in domain or sum(each.method == "dmarc" for each in found) > 1:
        return False
    return any(_proves(each, domain) for each in found)


def signers(facts: HeaderFacts, authserv_id: str) -> tuple[str, ...]:
    """The domains, each once, whose DKIM signatures the server `authserv_id` found good."""
    found = (_signer(each) for each in believed(facts.auth_results, authserv_id) if _good(each))
    return tuple(dict.fromkeys(domain for domain in found if domain != "."))


def read_results(text: str) -> tuple[str, tuple[Result, ...]] | None:
    """The authserv-id (lower case, empty where none is given) and results of one field.

    Results that cannot be read are left out; None where nothing of the field can be believed: a
    quote or comment has no end, or a comment has a quote in it, as it has where a server copied
    an address there that was made to break out of it.
    """
    segments = _segments(text)
    if segments is None:
        return None
    server = _server(segments[0])
    if not server and not _METHOD.match(segments[0]):
        return None
    results = map(_result, segments[bool(server) : _RESULTS])
    return server, tuple(filter(None, results))


def believed(texts: Sequence[str], authserv_id: str) -> tuple[Result, ...]:
    """The results of the one field that counts, of all Authentication-Results from the top; none
    where no `authserv_id` is set."""
    wanted = authserv_id.strip().lower()
    if not wanted:
        return ()
    if wanted == MICROSOFT365:
        top = read_results(texts[0]) if texts else None
        if top is None or top[0] or not any(each.method == "compauth" for each in top[1]):
            return ()
        return top[1]
    for text in texts:
        if _server(next(_pieces(text)) or "") == wanted:  # even where the rest cannot be read
            read = read_results(text)
            return read[1] if read else ()
    return ()


def without_forged(block: bytes, authserv_id: str) -> bytes:
    """A header block without the Authentication-Results that bear the name of the trusted server
    and did not come from it: all but the topmost (RFC 8601 section 5)."""
    wanted = authserv_id.strip().lower()
    if wanted in ("", MICROSOFT365):
        return block
    kept, at, topmost = [], 0, True
    for field in fields(block):
        if field.name.lower() != b"authentication-results":
            continue
        text = text_of(block[field.value_start : field.value_end].replace(b"\r\n", b""))
        if _server(next(_pieces(text)) or "") == wanted:
            if not topmost:
                kept.append(block[at : field.start])
                at = field.end
            topmost = False
    return b"".join((*kept, block[at:]))


def _server(segment: str) -> str:
    """The authserv-id that the first segment of a field is, or an empty string."""
    match = _ID.fullmatch(segment)
    return _unquoted(match[1]).lower() if match else ""


def _proves(result: Result, domain: str) -> bool:
    if result.result != "pass":
        return False
    if result.method == "dmarc":
        return _domain(result.properties.get("header.from", "")) == domain
    if result.method == "dkim":
        signer = _signer(result)
        return domain == signer or (domain.endswith(f".{signer}") and _owned(signer))
    return False


def _good(result: Result) -> bool:
    return (result.method, result.result) == ("dkim", "pass")


def _signer(result: Result) -> str:
    of = result.properties
    return _domain(of.get("header.d") or of.get("header.i", "").rpartition("@")[2])


def _domain(text: str) -> str:
    """A domain of at least two labels in normal form, else a name that nothing equals."""
    try:
        domain = normalise_domain(text.removesuffix("."))
    except ValueError:
        return "."
    return domain if "." in domain and domain[0] != "[" else "."


def _owned(domain: str) -> bool:
    """Whether somebody can own this name, as far as a short list tells: co.uk is a registry's."""
    labels = domain.split(".")
    return len(labels) > 2 or not (len(labels[1]) == 2 and labels[0] in _REGISTRY)


def _segments(text: str) -> list[str] | None:
    """What stands between the semicolons, without comments."""
    pieces = list(_pieces(text))
    if len(text) >= _CUT and len(pieces) > 1:
        del pieces[-1]  # cut by the scanner, perhaps within a value
    found = [piece for piece in pieces if piece is not None]
    return found if len(found) == len(pieces) else None


def _pieces(text: str) -> Iterator[str | None]:
    """The same, with None for one that ends nowhere or has a quote in a comment."""
    piece: list[str] = []
    depth = at = 0
    quoted, sound = False, True
    while at < len(text):
        char = text[at]
        step = 2 if char == "\\" and (quoted or depth) else 1
        if quoted or not depth:
            piece.append(text[at : at + step])
        if char == '"' and depth:
            sound = False
        elif char == '"':
            quoted = not quoted
        elif not quoted and char == "(":
            if not depth:
                piece[-1] = " "
            depth += 1
        elif not quoted and char == ")":
            sound = sound and depth > 0
            depth = max(depth - 1, 0)
        elif char == ";" and not quoted and not depth:
            yield "".join(piece[:-1]) if sound else None
            piece, sound = [], True
        at += step
    yield "".join(piece) if sound and not quoted and not depth else None


def _unquoted(text: str) -> str:
    """`text` without the quotes around its only word."""
    inner = text.strip()
    if len(inner) > 1 and inner[0] == inner[-1] == '"':
        return re.sub(r"\\(.)", r"\1", inner[1:-1])
    return inner


def _result(segment: str) -> Result | None:
    """One result, or None for `none` and for what cannot be read whole."""
    match = _METHOD.match(segment)
    if match is None:
        return None
    method, result, at = match[1].lower(), match[2].lower(), match.end()
    properties: dict[str, str] = {}
    while each := _PROPERTY.match(segment, at):
        name = "".join(each[1].split()).lower()
        if name in properties:  # two signers of one result: whose is it
            return None
        properties[name] = _unquoted(each[2])
        at = each.end()
    return None if segment[at:].strip() else Result(method, result, properties)
