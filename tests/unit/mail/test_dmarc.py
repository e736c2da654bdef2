"""DMARC records, and for whom they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.dmarc import MOST, Policy, Record, organisation, read, standing, strictest, walk

REJECT = Record(p="reject", sp="reject", np="reject")
texts = st.lists(st.text(max_size=80) | st.just("v=DMARC1; p=reject"), max_size=4)
labels = st.text(st.sampled_from("abc-0123456789"), min_size=1, max_size=5)
domains = st.lists(labels, min_size=1, max_size=14).map(".".join)
records = st.none() | st.builds(
    Record,
    p=st.sampled_from(["none", "quarantine", "reject"]),
    sp=st.sampled_from(["none", "quarantine", "reject"]),
    psd=st.sampled_from(["u", "y", "n"]),
    testing=st.booleans(),
)


# --- records ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("v=DMARC1; p=reject; rua=mailto:d@example.org", REJECT),
        ("V=DMARC1;P=Reject;", REJECT),
        ("v = DMARC1 ; p = reject", REJECT),
        ("v=DMARC1; p=none; sp=reject", Record(sp="reject", np="reject")),
        ("v=DMARC1; p=reject; sp=none; np=quarantine", Record("reject", "none", "quarantine")),
        ("v=DMARC1; p=reject; adkim=s; aspf=S", REJECT._replace(adkim="s", aspf="s")),
        ("v=DMARC1; p=reject; t=y; psd=n", REJECT._replace(testing=True, psd="n")),
        ("v=DMARC1; p=reject; pct=0", REJECT._replace(testing=True)),
        ("v=DMARC1; p=reject; pct=10", REJECT),
        ("v=DMARC1; p=reject; p=none", REJECT),
        ("v=DMARC1; p=; sp=reject", Record(sp="reject", np="reject")),
        ("v=DMARC1; rua=mailto:d@example.org", Record()),
        ("v=DMARC1; p=refuse; sp=x; psd=z; t", Record()),
        ("v=DMARC1", Record()),
    ],
)
def test_a_record_is_read(text: str, record: Record) -> None:
    """Tags in any case, what is wrong in them as if it were left out."""
    assert read([text]) == record


@pytest.mark.parametrize(
    "found",
    [
        [],
        ["v=spf1 -all"],
        ["p=reject; v=DMARC1"],
        ["v=DMARC2; p=reject"],
        ["v=dmarc1; p=reject"],
        ["v=DMARC1.1; p=reject"],
        ["v=DMARC1; p=reject", "v=DMARC1; p=none"],
    ],
)
def test_what_is_no_record_asks_for_nothing(found: list[str]) -> None:
    """A version comes first; of several records none counts (RFC 9989 section 4.10)."""
    assert read(found) is None


def test_other_records_of_the_name_do_not_matter() -> None:
    """Wildcards bring SPF records and keys along."""
    assert read(["v=spf1 -all", "v=DMARC1; p=reject", "\ufffd"]) == REJECT


@given(texts)
def test_any_texts_can_be_read(found: list[str]) -> None:
    """Whatever stands in DNS."""
    record = read(found)
    assert record is None or record.p in ("none", "quarantine", "reject")


# --- the walk up the tree -----------------------------------------------------------------------


def test_the_walk_leaves_out_the_middle_of_long_names() -> None:
    """RFC 9989 section 4.10: itself, then the last seven labels and what is above them."""
    assert walk("a.b.example.org") == ("a.b.example.org", "b.example.org", "example.org", "org")
    assert walk("org") == ("org",)
    long = walk("a.b.c.d.e.f.g.h.example.org")
    assert long[1:3] == ("d.e.f.g.h.example.org", "e.f.g.h.example.org")


@given(domains)
def test_the_walk_is_short(domain: str) -> None:
    """At most eight questions, each about the domain or one above it, none twice."""
    names = walk(domain)
    assert names[0] == domain
    assert len(set(names)) == len(names) <= MOST
    assert all(domain == name or domain.endswith(f".{name}") for name in names)


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        ({}, "a.b.example.org"),
        ({"example.org": REJECT}, "example.org"),
        ({"b.example.org": REJECT, "example.org": REJECT}, "example.org"),
        ({"b.example.org": REJECT._replace(psd="n"), "example.org": REJECT}, "b.example.org"),
        ({"example.org": REJECT, "org": REJECT._replace(psd="y")}, "example.org"),
        ({"org": REJECT._replace(psd="y")}, "example.org"),
        ({"b.example.org": REJECT._replace(psd="y")}, "a.b.example.org"),
        ({"a.b.example.org": REJECT._replace(psd="y")}, "a.b.example.org"),
    ],
)
def test_who_owns_a_domain(found: dict[str, Record], owner: str) -> None:
    """The topmost with a record, unless a record says where a registry ends (section 4.10.2)."""
    assert organisation("a.b.example.org", found) == owner


@pytest.mark.parametrize(
    ("found", "exists", "policy"),
    [
        ({}, True, "none"),
        ({"a.example.org": REJECT}, True, "reject"),
        ({"a.example.org": Record(), "example.org": REJECT}, True, "none"),
        ({"example.org": REJECT}, True, "reject"),
        ({"example.org": REJECT._replace(sp="none")}, True, "none"),
        ({"example.org": REJECT._replace(sp="none", np="reject")}, True, "none"),
        ({"example.org": REJECT._replace(sp="none", np="reject")}, False, "reject"),
        ({"example.org": REJECT._replace(testing=True)}, True, "quarantine"),
        ({"a.example.org": Record(p="quarantine", testing=True)}, True, "none"),
        ({"org": REJECT._replace(psd="y")}, True, "reject"),
        ({"org": REJECT}, True, "reject"),
    ],
)
def test_the_policy_of_a_domain(found: dict[str, Record], exists: bool, policy: Policy) -> None:
    """Its own; else that of its owner for the domains below; else that of the registry."""
    assert standing("a.example.org", found, exists=exists).policy == policy


@given(domains, st.dictionaries(domains, records, max_size=5), st.booleans(), st.data())
def test_any_records_have_an_answer(
    domain: str, found: dict[str, Record | None], exists: bool, data: st.DataObject
) -> None:
    """Never more than the strictest of them asks for; the owner is the domain or above it."""
    for name in walk(domain):
        found[name] = data.draw(records)
    held = standing(domain, found, exists=exists)
    asked = [policy for each in found.values() if each for policy in (each.p, each.sp, each.np)]
    assert strictest([held.policy, *asked]) == strictest(asked)
    assert domain == held.organisation or domain.endswith(f".{held.organisation}")
