"""The strict grammar and the normal form of an address."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from postroad.mail.addresses import normalise, parse_address, validate
from postroad.mail.mailboxes import parse_mailboxes

# What becomes of each category of isemail; those of RFC5321 are told apart by diagnosis.
TAKEN_CATEGORIES = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN"}
TAKEN_DIAGNOSES = {
    "ISEMAIL_RFC5321_QUOTEDSTRING",
    "ISEMAIL_RFC5321_ADDRESSLITERAL",
    "ISEMAIL_RFC5321_IPV6DEPRECATED",
    "ISEMAIL_RFC5321_TLD",
}
UTF8_QUOTED_PAIR = 160  # an error in 2010; RFC 6532 has it since 2012
NO_MAILBOX_AT_ALL = {43}  # an empty quoted local part: RFC 5321 has it, nobody is reached by it


def isemail(corpora: Path) -> list[tuple[int, str, str, str]]:
    """Every case: number, address, category, diagnosis."""
    cases = []
    for test in ET.parse(corpora / "addresses" / "isemail.xml").getroot().iter("test"):
        written = test.findtext("address") or ""
        address = "".join(
            chr(ord(char) - 0x2400) if "\u2400" <= char <= "\u2420" else char for char in written
        )
        category, diagnosis = test.findtext("category"), test.findtext("diagnosis")
        cases.append((int(test.get("id", "0")), address, category or "", diagnosis or ""))
    return cases


def test_isemail_cases_are_judged_by_category(corpora: Path) -> None:
    """Every isemail case is taken or refused as the policy in the module docstring says."""
    wrong = [
        (number, address, diagnosis)
        for number, address, category, diagnosis in isemail(corpora)
        if (parse_address(address) is not None)
        != (
            (category in TAKEN_CATEGORIES or diagnosis in TAKEN_DIAGNOSES)
            and number not in NO_MAILBOX_AT_ALL
        )
    ]
    assert wrong == []


def test_header_reader_takes_no_isemail_error(corpora: Path) -> None:
    """What isemail calls an error is one in a header too, unless it is an address and a remainder
    that lists allow: white space around it."""
    taken = [
        (number, address)
        for number, address, category, _ in isemail(corpora)
        if category == "ISEMAIL_ERR"
        and number != UTF8_QUOTED_PAIR
        and parse_mailboxes(address.strip("\r\n \x00"))[0]
        # Folded white space is unfolded before a list is read: those errors cannot arise there.
        and "\n" not in address
        and "\r" not in address
    ]
    assert taken == []


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ('"ada"@example.org', "ada@example.org"),
        ('"a\\da"@example.org', "ada@example.org"),
        ('"ada l"@example.org', '"ada l"@example.org'),
        ('"ada@good.org"@evil.org', '"ada@good.org"@evil.org'),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("JÖRG@example.org", "jörg@example.org"),
        ("strauß@example.org", "strauß@example.org"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("ada+tag%x!y@example.org", "ada+tag%x!y@example.org"),
        ("ada@[IPV6:0:0::1]", "ada@[IPv6:::1]"),
    ],
)
def test_one_mailbox_has_one_normal_form(written: str, normal: str) -> None:
    """Case, needless quotes, and the two ways to write a domain make no difference."""
    assert normalise(written) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "address",
    [
        "\u212aevin@example.org",  # Kelvin sign
        "ada@\u212aernel.example",
        "\uff41da@example.org",  # full width
        "ada@example\u3002org",  # ideographic full stop
        "ada@example\uff0eorg",
        "ada\uff20good.org@example.org",  # full-width @
        "o\ufb03ce@example.org",  # ligature
        "\u017fam@example.org",  # long s
        "ada\u200b@example.org",  # zero width
        "ada\u202egro@example.org",  # right-to-left override
        "ada@exam\u00adple.org",  # soft hyphen
        "ada@a\u200db.example",
        "a\u034fda@example.org",  # grapheme joiner
        "ada@ex\ufe0fample.org",  # variation selector
        "ada@\u1fb3.example",  # letter that IDNA maps to two
        "=?utf-8?q?ada=40good.org?=@example.org",
        "ada@good.org\0@example.org",
        "ada@good.org\n@example.org",
        "ada@example.org\r\nRCPT TO:<eve@example.org>",
        "<ada@example.org>",
        "ada@good.org,eve@example.org",
        "@relay.example:ada@example.org",
        "ada@example.org (Ada)",
        "ada@exa_mple.org",
        "ada@" + "ü" * 64 + ".example",
        "ada@" + "ü" * 5000,
        "\ufffd@example.org",
        "ada@\u0301a.example",
    ],
)
def test_tricks_are_no_addresses(address: str) -> None:
    """What two readers could take for two mailboxes is refused, never guessed."""
    assert parse_address(address) is None


@pytest.mark.parametrize("one", ["ß", "ı", "İ", "ŉ", "ǰ", "ς", "\u212a", "\u017f", "\ufb01"])
def test_folding_makes_no_other_ascii_address(one: str) -> None:
    """No character outside ASCII folds into ASCII: nobody gets another's address by folding."""
    found = parse_address(f"{one}x@example.org")
    assert found is None or not found.key.isascii()


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("", "it is empty"),
        ("ada", "no @"),
        ("ada@", "no domain after the @"),
        ("@example.org", "no name before the @"),
        ("ada lovelace@example.org", "not allowed before the @"),
        ("ada@@example.org", "not allowed in the domain"),
        ("ada@exa mple.org", "not allowed in the domain"),
        ("ada.@example.org", "a dot too many before the @"),
        ("ada@example..org", "a dot too many in the domain"),
        ("ada@example", "no dot"),
        ("ada@10.0.0.1", "ends in a number"),
        ("a" * 65 + "@example.org", "longer than 64 octets"),
        ("ada@" + "a.b" * 400, "too long"),
        ("ada@-example.org", "hyphen"),
    ],
)
def test_typed_address_is_refused_with_the_reason(typed: str, wrong: str) -> None:
    """A malformed address gets one line naming it, what is wrong, and how one looks."""
    with pytest.raises(ValueError, match=r"name@example\.org") as refused:
        validate(typed)
    assert wrong in str(refused.value)
    assert "\n" not in str(refused.value)
    assert typed[:20] in str(refused.value)


def test_refusal_shows_no_control_characters() -> None:
    """The message about a malformed address is safe to print, whatever was typed."""
    with pytest.raises(ValueError, match="no mail address") as refused:
        validate("ada\x1b[2J\r\n@example.org")
    assert str(refused.value).isprintable()


def test_reason_of_normalise_does_not_repeat_the_address() -> None:
    """The reason may be logged, so no address stands in it."""
    with pytest.raises(ValueError, match="no @") as refused:
        normalise("secret.name")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada.Lovelace@Example.ORG\n", "Ada.Lovelace@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_typed_address_keeps_its_local_part(typed: str, kept: str) -> None:
    """The local part is the receiver's business: sent to as typed; the domain is not."""
    assert validate(typed) == kept
