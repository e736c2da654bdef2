"""ARC sets (RFC 8617): what the server we trust found of a mail, sealed before we send it on.

Nothing is looked up here. The chain that came in was validated where the mail came in, by the
server whose Authentication-Results are believed: its `arc=` is our `cv=`. A chain that it says
nothing of is not continued, for we would vouch for what nobody looked at.

The message signature covers what all copies of a post have in common, and the DKIM-Signatures of
the author: so one set, made once, serves all that have one body.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

from postroad.mail.authentication import Result
from postroad.mail.canonical import relaxed_field
from postroad.mail.dkim import LINE, Key, Message, over, signed, signing_tags, tag_field

Cv = Literal["none", "pass", "fail"]

LONGEST = 50  # sets in a chain (RFC 8617 section 4.2.1)
_NAMES = ("arc-authentication-results", "arc-message-signature", "arc-seal")  # in sealing order
_METHODS = ("arc", "dkim", "dmarc", "spf")
_RESULTS, _AUTHOR_SIGNATURES = 20, 5
_INSTANCE = re.compile(rb"(?:\A|;)[ \t]*i[ \t]*=[ \t]*([0-9]{1,3})[ \t]*(?:;|\Z)")
_CV = re.compile(rb"(?:\A|;)[ \t]*cv[ \t]*=[ \t]*([A-Za-z]+)[ \t]*(?:;|\Z)")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+./?^_`{|}~@=-]{1,250}", re.ASCII)
_PROPERTY = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*", re.ASCII)


class Chain(NamedTuple):
    """The sets that came in, each relaxed and in sealing order; empty where they do not make a
    chain. `last` is the highest instance number seen, `failed` whether its seal says so."""

    sets: Sequence[bytes] = ()
    last: int = 0
    failed: bool = False


def chain(message: Message) -> Chain:
    """The chain of a mail as it stands (RFC 8617 section 5.2, without its signatures)."""
    found: dict[tuple[int, str], bytes] = {}
    whole = True
    for name in _NAMES:
        for field in message[name]:
            canonical = relaxed_field(field)
            instance = _INSTANCE.search(canonical.partition(b":")[2].rstrip(b"\r\n"))
            key = (int(instance[1]) if instance else 0, name)
            whole = whole and key not in found and key[0] > 0
            found[key] = canonical
    last = max((number for number, _ in found), default=0)
    values = [_cv(found.get((number, _NAMES[2]), b"")) for number in range(1, last + 1)]
    whole = whole and len(found) == last * len(_NAMES) and last <= LONGEST
    if not whole or values != ["none", *["pass"] * (last - 1)][:last]:
        return Chain(last=last, failed=bool(values) and values[-1] == "fail")
    ordered = [found[number, name] for number in range(1, last + 1) for name in _NAMES]
    return Chain(ordered, last)


def validity(chain: Chain, results: Sequence[Result]) -> tuple[Cv | None, str]:
    """What `cv=` a seal may say; None, with the reason, where there is none to be made."""
    if not chain.last:
        return "none", ""
    if chain.failed:
        return None, "its ARC chain ended in a failure"
    if chain.last >= LONGEST:
        return None, "its ARC chain is as long as one may be"
    said = {each.result for each in results if each.method == "arc"}
    if said == {"pass"} and chain.sets:
        return "pass", ""
    if said == {"fail"} or not chain.sets:
        return "fail", ""
    return None, "nobody we trust has validated its ARC chain"


class Seal:
    """The fields of a new set for the copies of one post, to be put on top of each.

    `key` is an RSA one (nothing else is known to verifiers), `server` and `results` say who found
    what, `at` is the time in seconds. `reason` says why there is no set to make, else "".
    """

    def __init__(
        self, key: Key, message: Message, server: str, results: Sequence[Result], at: int
    ) -> None:
        self._key = key
        came = chain(message)
        cv, self.reason = validity(came, results)
        number = str(came.last + 1)
        self._told = _authentication_results(number, server, results)
        authors = min(len(message["dkim-signature"]), _AUTHOR_SIGNATURES)
        lowest = message["dkim-signature"][-authors:][::-1] if authors else ()
        names = [*message.names, *["dkim-signature"] * authors]
        tags = [("i", number), *signing_tags(key, names), ("t", str(at)), ("b", "")]
        self._signature = tag_field("ARC-Message-Signature", tags)
        self._signed = hashlib.sha256(message.octets + b"".join(map(relaxed_field, lowest)))
        tags = [("i", number), ("a", key.algorithm), ("cv", cv or ""), ("d", key.domain)]
        self._seal = tag_field("ARC-Seal", [*tags, ("s", key.selector), ("t", str(at)), ("b", "")])
        # of a broken chain, nothing but the last set can be covered (RFC 8617 section 5.1.2)
        before = b"".join(came.sets) if cv == "pass" else b""
        self._sealed = hashlib.sha256(before + relaxed_field(self._told))

    def over(self, body_hash: bytes) -> bytes:
        """The set for copies whose body has this hash: two signatures; none with a `reason`."""
        if self.reason:
            return b""
        digest = self._signed.copy()
        start = over(self._signature, body_hash)
        digest.update(relaxed_field(start)[:-2])
        signature = signed(self._key, start, digest.digest())
        digest = self._sealed.copy()
        digest.update(relaxed_field(signature) + relaxed_field(self._seal)[:-2])
        return signed(self._key, self._seal, digest.digest()) + signature + self._told


def _cv(seal: bytes) -> str:
    match = _CV.search(seal.partition(b":")[2].rstrip(b"\r\n"))
    return match[1].decode().lower() if match else ""


def _authentication_results(number: str, server: str, results: Sequence[Result]) -> bytes:
    """What was found, written anew: what the trusted server copied from the mail (a comment, a
    reason) could say anything. A value that would need quotes is left out."""
    told = [_told(each) for each in results if each.method in _METHODS][:_RESULTS] or ["none"]
    text = "; ".join([f"ARC-Authentication-Results: i={number}", server, *told])
    lines = textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
    return ("\r\n ".join(lines) + "\r\n").encode()


def _told(result: Result) -> str:
    pairs = [
        f"{name}={value}"
        for name, value in result.properties.items()
        if _PROPERTY.fullmatch(name) and _TOKEN.fullmatch(value)
    ]
    return " ".join([f"{result.method}={result.result}", *pairs])
