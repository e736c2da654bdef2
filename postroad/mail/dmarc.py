"""What a domain wants done with mail that nothing proves to be its own: DMARC. Pure.

RFC 9989, and RFC 7489 before it. A domain says so in a TXT record at `_dmarc.` and its name, or
one above it does. Which domains have one owner is told by a walk up the tree (RFC 9989 section
4.10), so that no list of public suffixes is needed. Domains are in lower case, A-labels. Never
raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, cast, get_args

Policy = Literal["none", "quarantine", "reject"]

MOST = 8  # domains that are asked about one (RFC 9989 section 4.10)
_POLICIES: tuple[Policy, ...] = get_args(Policy)  # the mildest first


class Record(NamedTuple):
    """One record, what it leaves out filled in. `sp` is for domains below that have none of
    their own, `np` for those that do not exist. `testing`: what it asks for is to be taken one
    step milder (`t=y`; before RFC 9989 that was `pct=0`)."""

    p: Policy = "none"
    sp: Policy = "none"
    np: Policy = "none"
    adkim: Literal["r", "s"] = "r"
    aspf: Literal["r", "s"] = "r"
    psd: Literal["u", "y", "n"] = "u"
    testing: bool = False


Found = Mapping[str, Record | None]  # what each domain that was asked has


class Standing(NamedTuple):
    """What holds for a domain: its policy, the record that says so, and the domain whose owner is
    its owner."""

    policy: Policy
    record: Record
    organisation: str


def read(texts: Iterable[str]) -> Record | None:
    """The record among the TXT records of a name. None where there is none, or several, which
    then all count for nothing. What is wrong in it counts as left out, and without a policy it
    asks for nothing."""
    records = [tags for text in texts if (tags := _tags(text))]
    if len(records) != 1:
        return None
    (tags,) = records
    p = _policy(tags.get("p", "")) or "none"
    sp = _policy(tags.get("sp", "")) or p
    return Record(
        p=p,
        sp=sp,
        np=_policy(tags.get("np", "")) or sp,
        adkim="s" if tags.get("adkim") == "s" else "r",
        aspf="s" if tags.get("aspf") == "s" else "r",
        psd=cast("Literal['y', 'n']", psd) if (psd := tags.get("psd")) in ("y", "n") else "u",
        testing=tags.get("t") == "y" or tags.get("pct") == "0",
    )


def walk(domain: str) -> tuple[str, ...]:
    """The domains that are asked about `domain`, itself first, the topmost last."""
    labels = domain.split(".")
    above = (".".join(labels[-n:]) for n in range(min(len(labels), MOST) - 1, 0, -1))
    return (domain, *above)


def organisation(domain: str, found: Found) -> str:
    """The domain that stands for the owner of `domain`: the topmost that has a record, unless a
    record says where the registry's domains end (`psd`)."""
    topmost = domain
    for at in walk(domain):
        record = found.get(at)
        if record is None:
            continue
        if record.psd == "y" and at != domain:
            return ".".join(domain.split(".")[-at.count(".") - 2 :])
        topmost = at
        if record.psd == "n":
            break
    return topmost


def standing(domain: str, found: Found, *, exists: bool = True) -> Standing:
    """What holds for `domain`, where the domains of its walk have these records. `exists` is
    whether the domain itself has anything in DNS."""
    owner = organisation(domain, found)
    own = found.get(domain)
    if own:
        return Standing(_asked(own.p, own), own, owner)
    registry = owner.partition(".")[2]
    above = found.get(owner) or found.get(registry)
    if above is None or (above is found.get(registry) and above.psd != "y"):
        return Standing("none", Record(), owner)
    return Standing(_asked(above.sp if exists else above.np, above), above, owner)


def strictest(policies: Iterable[Policy]) -> Policy:
    """The one that asks for most; `none` of none."""
    return max(policies, key=_POLICIES.index, default="none")


def _asked(policy: Policy, record: Record) -> Policy:
    """One step milder of who is only testing."""
    return _POLICIES[max(0, _POLICIES.index(policy) - record.testing)]


def _policy(text: str) -> Policy | None:
    return next((policy for policy in _POLICIES if policy == text), None)


def _tags(text: str) -> dict[str, str]:
    """The tags of a record, the first of each name, values in lower case; none where this is no
    record, which begins with its version."""
    first, *rest = text.split(";")
    name, _, value = first.partition("=")
    if (name.strip().lower(), value.strip()) != ("v", "DMARC1"):
        return {}
    pairs = (part.partition("=") for part in reversed(rest))
    return {"v": "DMARC1"} | {name.strip().lower(): v.strip().lower() for name, _, v in pairs}
