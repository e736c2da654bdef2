"""A sample copy against what Gmail, Yahoo and Microsoft ask of who sends much, and of lists.

support.google.com/mail/answer/81126, senders.yahooinc.com/best-practices, RFC 5322, 6376, 8058.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import getaddresses, parsedate_to_datetime
from typing import Literal, NamedTuple

from postroad.cli.doctor.finding import Finding, State
from postroad.cli.doctor.judge.peer import LOOPBACK
from postroad.mail.fields import fields
from postroad.runtime.settings import Relay

CHECK = "copy"
LINE = 998  # octets without its end, RFC 5322 section 2.1.1
ONE_CLICK = "List-Unsubscribe=One-Click"
_ONCE = (
    *("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id"),
    *("in-reply-to", "references", "list-id", "list-unsubscribe", "list-unsubscribe-post"),
)
_SEAL = ("arc-seal", "arc-message-signature", "arc-authentication-results")

Mark = Literal["pass", "warn", "fail"]
Judged = tuple[Mark, str]
_STATES: dict[Mark, State] = {"pass": "ok", "warn": "warning", "fail": "failed"}


@dataclass(frozen=True)
class Sample:
    """A post's copy as it would leave, dots not doubled, and its envelope sender; what the checks
    of the domain found; `signer`: the provider that signs what the relay sends, or ""."""

    domain: str
    relay: Relay
    envelope: str
    wire: bytes
    spf: Finding
    dkim: Sequence[Finding]
    dmarc: Finding
    signer: str = ""

    def values(self, name: str) -> list[str]:
        """The values of every field of this name, unfolded."""
        wanted = name.lower().encode()
        return [
            " ".join(self.wire[f.value_start : f.value_end].decode("utf-8", "replace").split())
            for f in fields(self.wire)
            if f.name.lower() == wanted
        ]

    def value(self, name: str) -> str:
        """The value of the only field of this name, "" where there is none, or several."""
        found = self.values(name)
        return found[0] if len(found) == 1 else ""

    @property
    def signatures(self) -> list[dict[str, str]]:
        """The tags of every DKIM signature for the domain of the list."""
        read = (_tags(value) for value in self.values("DKIM-Signature"))
        return [tags for tags in read if tags.get("d", "").lower() == self.domain]


class Rule(NamedTuple):
    """One rule: its name, what it asks for, what helps, and whether a sample keeps it."""

    name: str
    about: str
    remedy: str
    judged: Callable[[Sample], Judged]


def judge(sample: Sample) -> Iterator[Finding]:
    """Every rule, in order."""
    for rule in RULES:
        mark, what = rule.judged(sample)
        remedy = "" if mark == "pass" else rule.remedy
        yield Finding(
            CHECK, sample.domain, _STATES[mark], f"{rule.name}: {what}", remedy, rule.name
        )


def _from(sample: Sample) -> Judged:
    found = getaddresses(sample.values("From"))
    if len(found) != 1 or "." not in found[0][1].rpartition("@")[2]:
        return "fail", "not one address of one domain in From"
    return "pass", f"one address, at {found[0][1].rpartition('@')[2]} (the sample's author)"


def _message_id(sample: Sample) -> Judged:
    value = sample.value("Message-ID")
    whole = re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", value)
    return ("pass", "one, and well formed") if whole else ("fail", "none, several, or malformed")


def _date(sample: Sample) -> Judged:
    try:
        parsedate_to_datetime(sample.value("Date"))
    except ValueError:
        return "fail", "none, several, or malformed"
    return "pass", "one, and well formed"


def _once(sample: Sample) -> Judged:
    twice = [name for name in _ONCE if len(sample.values(name)) > 1]
    return ("fail", f"more than once: {', '.join(twice)}") if twice else ("pass", "no field twice")


def _lines(sample: Sample) -> Judged:
    if re.search(rb"(?<!\r)\n|\r(?!\n)|\0", sample.wire):
        return "fail", "a bare CR, a bare LF or a NUL"
    longest = max(map(len, sample.wire.split(b"\r\n")))
    if longest > LINE:
        return "fail", f"a line of {longest:,} octets"
    return "pass", f"CRLF alone ends lines, the longest of {longest} octets"


def _list_id(sample: Sample) -> Judged:
    whole = re.search(rf"<[^<>\s]+\.{re.escape(sample.domain)}>$", sample.value("List-Id").lower())
    return ("pass", "names the list") if whole else ("fail", "none of this domain")


def _unsubscribe(sample: Sample) -> Judged:
    value = sample.value("List-Unsubscribe")
    links = re.findall(r"<(https|mailto):[^<>\s]+>", value)
    if sorted(links) == ["https", "mailto"]:
        return "pass", "an https link, and mail"
    return ("warn", "by mail alone") if links == ["mailto"] else ("fail", "no way out")


def _one_click(sample: Sample) -> Judged:
    there = sample.value("List-Unsubscribe-Post") == ONE_CLICK
    if there and "<https:" in sample.value("List-Unsubscribe"):
        return "pass", "List-Unsubscribe-Post, beside an https link"
    return "warn", "no one-click (RFC 8058), which large senders must have"


def _covered(sample: Sample) -> Judged:
    wanted = {"from", "list-unsubscribe", "list-unsubscribe-post"}
    wanted = {name for name in wanted if sample.values(name)}
    for tags in sample.signatures:
        names = {name.strip().lower() for name in tags.get("h", "").split(":")}
        if wanted <= names:
            return "pass", f"h= of the signature has {', '.join(sorted(wanted))}"
    if sample.signer:
        return "warn", f"{sample.signer} signs, and nobody here sees which fields"
    return "warn", "no signature of ours does; nobody here sees whether the relay signs"


def _dkim(sample: Sample) -> Judged:
    if sample.signatures:
        return _as(sample.dkim, f"signed for {sample.domain}, key published")
    if sample.signer:
        return _as(sample.dkim, f"{sample.signer} signs")
    return "warn", f"not by us for {sample.domain}; nobody here sees whether the relay signs"


def _spf(sample: Sample) -> Judged:
    return _as([sample.spf], sample.spf.finding)


def _dmarc(sample: Sample) -> Judged:
    return _as([sample.dmarc], sample.dmarc.finding)


def _alignment(sample: Sample) -> Judged:
    """Of the list's own letters, whose From is at the list's domain: a post is its author's, of
    whose domain no alignment is asked of a list with List-Id and ARC."""
    if sample.signatures:
        return "pass", f"d={sample.domain} signs what is From {sample.domain}"
    if sample.signer:
        return "pass", f"{sample.signer} signs for {sample.domain}"
    sender = sample.envelope.rpartition("@")[2].lower()
    if sender == sample.domain or sender.endswith(f".{sample.domain}"):
        return "warn", "by SPF alone, which forwarding breaks and letters without sender lack"
    return "fail", f"neither a signature nor the envelope sender is of {sample.domain}"


def _arc(sample: Sample) -> Judged:
    if all(sample.values(name) for name in _SEAL):
        return "pass", "sealed"
    return "warn", "not sealed: receivers learn nothing of what the author's signature was"


def _envelope(sample: Sample) -> Judged:
    if not sample.envelope:
        return "fail", "none: bounces reach nobody"
    return "pass", f"bounces come back to {sample.envelope.rpartition('@')[2]}"


def _tls(sample: Sample) -> Judged:
    relay = sample.relay
    if relay.tls != "none" or relay.url.startswith("https:"):
        return "pass", "on the way to the relay"
    if relay.path is not None or relay.host in LOOPBACK:
        return "pass", "the relay is on this machine; see that it uses TLS itself"
    return "fail", "the relay is spoken to in the clear"


def _as(findings: Sequence[Finding], well: str) -> Judged:
    """The worst of other checks, as a mark."""
    states = [finding.state for finding in findings]
    for state in ("failed", "warning", "skipped"):
        if state in states:
            mark: Mark = "fail" if state == "failed" else "warn"
            return mark, findings[states.index(state)].finding
    return "pass", well


def _tags(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(";"))
    return {key.strip(): "".join(text.split()) for key, _, text in pairs}


_OURS = "report it, please: Postroad makes it so whatever the mail is"
_WEB = "add [web], and leave personalize as it is: then each copy has a link of its own"
_SIGN = "set dkim_key_file of the [[domain]], and publish what config check prints"
RULES = (
    Rule("from", "one From, with one address", _OURS, _from),
    Rule("message_id", "one Message-ID, well formed", _OURS, _message_id),
    Rule("date", "one Date, well formed", _OURS, _date),
    Rule("once", "no field twice that may stand once", _OURS, _once),
    Rule("lines", "no bare CR or LF, no line above 998 octets", _OURS, _lines),
    Rule("list_id", "List-Id, of the list's domain", _OURS, _list_id),
    Rule("envelope", "an envelope sender, to which bounces come", _OURS, _envelope),
    Rule("unsubscribe", "List-Unsubscribe with https and mailto", _WEB, _unsubscribe),
    Rule("one_click", "List-Unsubscribe-Post, one click", _WEB, _one_click),
    Rule("covered", "a DKIM signature over From and both of these", _SIGN, _covered),
    Rule("dkim", "signed for the list's domain, with the key in DNS", _SIGN, _dkim),
    Rule("arc", "sealed (ARC), as lists and forwarders should", f"{_SIGN}; RSA seals", _arc),
    Rule("spf", "SPF of the envelope sender's domain lets the relay send", "see the row spf", _spf),
    Rule("dmarc", "a DMARC record, p=none at least", "see the row dmarc", _dmarc),
    Rule("alignment", "the list's letters are signed for the domain in From", _SIGN, _alignment),
    Rule("tls", "TLS to the relay", 'set tls = "starttls" or "implicit" of the relay', _tls),
)
