"""DNS of a domain of lists: MX (RFC 5321), SPF (7208), DKIM (6376) and DMARC (7489)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.mail.dkim import Key

SPF_LOOKUPS = 10  # RFC 7208 section 4.6.4
NEEDS = {  # what the SPF record must lead to, so that the provider may send
    "gmail": "_spf.google.com",
    "microsoft365": "spf.protection.outlook.com",
    "ses": "amazonses.com",
}
SELECTORS = {"gmail": ("google",), "microsoft365": ("selector1", "selector2")}
SIGNS = {
    "gmail": "Google Workspace signs copies once DKIM is turned on there",
    "microsoft365": "Microsoft 365 signs copies once DKIM is turned on for the domain",
    "ses": "SES signs copies once the domain is verified with Easy DKIM",
}

_USELESS = ("silent", "broken", "no name")
Problem = Literal["", "missing", "no name", "silent", "broken"]


@dataclass(frozen=True)
class Answer:
    """The records of one name and type. `problem`: there are none of this type (missing), the
    name is not there, nobody answers (silent), or the servers answer with an error (broken)."""

    records: tuple[str, ...] = ()
    problem: Problem = ""


@dataclass(frozen=True)
class Spf:
    """The TXT records of a domain; the domains that its SPF record includes, directly or not,
    and how many lookups a receiver makes for it."""

    answer: Answer
    included: frozenset[str] = frozenset()
    lookups: int = 0


@dataclass(frozen=True)
class Leaves:
    """The public address of a relay, and whether the record lets it send (None: it cannot be told).
    `here`: mail leaves from this machine; else it may leave from other addresses, too."""

    address: str
    covered: bool | None
    here: bool


def foreign(domain: str) -> list[Finding]:
    """A domain of a mail provider: its records are not ours to judge."""
    why = f"{domain} belongs to a mail provider, whose records are its own affair"
    remedy = "nothing to do; with a domain of your own, this is looked at"
    return [skipped(check, domain, why, remedy) for check in ("mx", "spf", "dkim", "dmarc", "copy")]


def mx(domain: str, answer: Answer, hosts: Mapping[str, Answer]) -> Finding:
    """Mail for the domain must have somewhere to go. `answer` are lines "10 mx.example.org",
    `hosts` the addresses of each host in them, and of the domain itself."""
    if answer.problem in _USELESS:
        return _broken("mx", domain, answer)
    targets = [line.split()[-1] for line in answer.records]
    if targets == ["."]:
        remedy = "replace the null MX by one that names the server of the mailbox"
        return failed("mx", domain, f"{domain} says that it takes no mail (null MX)", remedy)
    reached = [target for target in targets if hosts.get(target, Answer()).records]
    if reached:
        lost = sorted(set(targets) - set(reached))
        if lost:
            what = f"{', '.join(lost)} has no address"
            return warning("mx", domain, what, "correct or remove this MX record")
        return ok("mx", domain, f"mail goes to {', '.join(reached[:3])}")
    if targets:
        what = f"{', '.join(targets[:3])} has no address: mail for {domain} bounces"
        return failed("mx", domain, what, "let the MX record name a host that has an address")
    remedy = f"publish: {domain}. MX 10 SERVER-OF-THE-MAILBOX."
    if hosts.get(domain, Answer()).records:
        what = f"{domain} has no MX record; mail goes to its own address"
        return warning("mx", domain, what, remedy)
    return failed("mx", domain, f"nobody takes mail for {domain}: no MX record", remedy)


def spf(
    domain: str, seen: Spf, provider: str, envelope: str, leaves: Leaves | None = None
) -> Finding:
    """Whether receivers let the relay send. `envelope` is the domain of the envelope sender,
    `leaves` is where mail leaves from, where that is known of no provider."""
    if envelope != domain:
        what = f"the envelope sender is at {envelope}: the SPF record there counts, not this one"
        return skipped("spf", domain, what, f"nothing to do, while envelope stays at {envelope}")
    if seen.answer.problem == "no name":  # mx says so
        return skipped("spf", domain, "not looked at without mx", "mend mx first")
    if seen.answer.problem in _USELESS:
        return _broken("spf", domain, seen.answer)
    needed = NEEDS.get(provider, "")
    mechanism = f"include:{needed}" if needed else _place(leaves)
    publish = f'publish: {domain}. TXT "v=spf1 {mechanism} ~all"'
    records = [text for text in seen.answer.records if re.match(r"v=spf1(\s|$)", text.lower())]
    if not records:
        return failed("spf", domain, "there is no SPF record: copies look forged", publish)
    if invalid := _invalid(domain, records, seen.lookups, publish):
        return invalid
    if not needed:
        return _covering(domain, records[0], leaves)
    if needed in seen.included:
        return ok("spf", domain, f"includes {needed}")
    what = f"the record does not include {needed}, so the relay may not send"
    remedy = f"add {mechanism} to the record"
    if provider == "ses":  # which sends from its own domain unless told otherwise
        return warning("spf", domain, what, f"{remedy}, if you use a custom MAIL FROM domain")
    return failed("spf", domain, what, remedy)


def _covering(domain: str, record: str, leaves: Leaves | None) -> Finding:
    """A valid record, of a relay that is no known provider's."""
    if leaves is None or leaves.covered is None:
        return ok("spf", domain, f"{record[:60]} (see that it names the relay's address)")
    if leaves.covered:
        return ok("spf", domain, f"lets {leaves.address} send")
    what = f"the record does not let {leaves.address}, the relay, send"
    elsewhere = "" if leaves.here else "; unless it sends from another address, which is named"
    return warning("spf", domain, what, f"add {_place(leaves)} to it{elsewhere}")


def _place(leaves: Leaves | None) -> str:
    """Where mail leaves from, as an SPF record says it."""
    if leaves is None:
        return "ip4:ADDRESS-OF-THE-RELAY"
    return f"{'ip6' if ':' in leaves.address else 'ip4'}:{leaves.address}"


def _invalid(domain: str, records: Sequence[str], lookups: int, publish: str) -> Finding | None:
    """What makes SPF useless, whoever the relay is."""
    if len(records) > 1:
        what = f"there are {len(records)} SPF records, which counts as none"
        return failed("spf", domain, what, "make one of them")
    terms = records[0].lower().split()[1:]
    if {"all", "+all"} & set(terms):
        what = "the record lets everybody send (+all)"
        return failed("spf", domain, what, 'end it in "~all" or "-all"')
    if lookups > SPF_LOOKUPS:
        what = f"the record takes more than {SPF_LOOKUPS} lookups, where receivers stop"
        return failed("spf", domain, what, "replace includes by the addresses that they stand for")
    if not any(_lets_somebody(term) for term in terms):
        return failed("spf", domain, "the record lets nobody send", publish)
    return None


def dkim(domain: str, provider: str, author: str, keys: Mapping[str, Answer]) -> Finding:
    """Who signs. `author` is the domain of From, `keys` are the TXT records of the provider's
    usual selectors."""
    if author != domain:
        what = f"From of every copy is at {author}, which signs for itself"
        return skipped("dkim", domain, what, f"nothing to do, while from stays at {author}")
    if provider not in SIGNS:
        what = "dkim_key_file is not set; nobody sees whether the relay signs"
        remedy = "set dkim_key_file, or let the relay sign (OpenDKIM, rspamd)"
        return skipped("dkim", domain, what, remedy)
    if not keys:
        return ok("dkim", domain, f"{SIGNS[provider]}; its selectors cannot be guessed")
    found = [
        selector
        for selector, answer in keys.items()
        if any(re.search(r"(^|;)\s*p=[^;\s]", text) for text in answer.records)
    ]
    if found:
        return ok("dkim", domain, f"signed by the provider: {', '.join(found)}._domainkey is there")
    for answer in keys.values():
        if answer.problem in ("silent", "broken"):
            return _broken("dkim", domain, answer)
    what = f"no key at {', '.join(keys)}._domainkey: copies are not signed for {domain}"
    return warning("dkim", domain, what, f"turn on DKIM: {SIGNS[provider]}")


@dataclass(frozen=True)
class Published:
    """A key that we sign with, and what DNS has under its name."""

    key: Key
    answer: Answer


def signing(domain: str, keys: Sequence[Published]) -> list[Finding]:
    """Our own signatures: whether receivers find each key, and can use one of them."""
    looked = (_unpublished(domain, each.key, each.answer) for each in keys)
    return [finding for finding in looked if finding] or [_strength(domain, keys)]


def _strength(domain: str, keys: Sequence[Published]) -> Finding:
    """Of keys that are all published: whether receivers can do something with them."""
    if not any(each.key.rsa for each in keys):
        what = "the only key is Ed25519, which many receivers cannot verify, and ARC not use"
        remedy = "add an RSA key: dkim_second_key_file, dkim_second_selector"
        return warning("dkim", domain, what, remedy)
    if weak := next((each.key for each in keys if each.key.rsa and each.key.bits < 2048), None):
        what = f"the RSA key of {weak.name} has {weak.bits} bits; large receivers want 2048"
        remedy = "make one of 2048 bits, under another selector"
        return warning("dkim", domain, what, remedy)
    names = ", ".join(each.key.selector for each in keys)
    return ok("dkim", domain, f"Postroad signs; the key is published ({names})")


def _unpublished(domain: str, key: Key, answer: Answer) -> Finding | None:
    """What is wrong with the record of a key."""
    publish = f"publish: {key.name}. TXT {key.zone_text}"
    if answer.problem in ("silent", "broken"):
        return _broken("dkim", domain, answer)
    if not answer.records:
        what = f"no key at {key.name}: nobody can verify our signatures"
        return failed("dkim", domain, what, publish)
    if len(answer.records) > 1:
        what = f"there are {len(answer.records)} records at {key.name}, which counts as none"
        return failed("dkim", domain, what, "remove all but one")
    found, wanted = _tags(answer.records[0]), _tags(key.record)
    if (found.get("p"), found.get("k", "rsa")) != (wanted["p"], wanted["k"]):
        what = f"the key at {key.name} is not the one we sign with: every signature fails"
        return failed("dkim", domain, what, publish)
    if "y" in found.get("t", "").split(":"):
        what = f"the record at {key.name} says that we only test (t=y): signatures count for little"
        return warning("dkim", domain, what, "remove t=y from it")
    return None


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {key.strip(): "".join(value.split()) for key, _, value in pairs}


def dmarc(domain: str, at: str, answer: Answer) -> Finding:
    """The policy. `answer` are the TXT records of _dmarc.`at`, the domain or one above it."""
    if answer.problem in ("silent", "broken"):
        return _broken("dmarc", domain, answer)
    records = [text for text in answer.records if re.match(r"v=DMARC1\s*(;|$)", text)]
    remedy = f'publish: _dmarc.{domain}. TXT "v=DMARC1; p=none"'
    if not records:
        what = "there is no DMARC record; large providers want one of bulk senders"
        return warning("dmarc", domain, what, remedy)
    if len(records) > 1:
        what = f"there are {len(records)} DMARC records at _dmarc.{at}, which counts as none"
        return failed("dmarc", domain, what, "remove all but one")
    tags = {
        key.strip().lower(): value.strip().lower()
        for key, equals, value in (part.partition("=") for part in records[0].split(";"))
        if equals
    }
    policy = tags.get("p", "")
    if at != domain:
        policy = tags.get("sp", policy)
    if policy not in ("none", "quarantine", "reject"):
        what = f'the DMARC record at _dmarc.{at} has no valid policy (p="{policy}")'
        return failed("dmarc", domain, what, "set p=none, p=quarantine or p=reject in it")
    where = "" if at == domain else f", from {at}"
    return ok("dmarc", domain, f"p={policy}{where}")


def _lets_somebody(term: str) -> bool:
    name = re.split(r"[:/=]", term.removeprefix("+"))[0]
    return name in ("ip4", "ip6", "a", "mx", "include", "exists", "ptr", "redirect")


def _broken(check: str, domain: str, answer: Answer) -> Finding:
    match answer.problem:
        case "silent":
            what = "no name server answers"
            remedy = "check /etc/resolv.conf, and the firewall (port 53)"
        case "broken":
            what = f"the name servers of {domain} answer with an error"
            remedy = "ask who runs them; is the zone (or DNSSEC) broken?"
        case _:
            what = f"{domain} is not in the DNS"
            remedy = f"register {domain}, or correct [[domain]] name"
    return failed(check, domain, what, remedy)
