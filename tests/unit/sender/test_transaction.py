"""What is asked of a server, and what it is not asked because it cannot."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import normalise
from services.sender.protocol import Conversation
from services.sender.replies import classify
from services.sender.transaction import Offers, Transaction
from tests.unit.sender.scripted import ScriptedServer, window

EVERYTHING = Offers(pipelining=True, eight_bit=True, utf8=True, size=0)
LATIN = ("Subject: x\r\n\r\ncafé\r\n".encode(),)
PLAIN = (b"Subject: x\r\n\r\nplain\r\n",)


def asked(offers: Offers, transaction: Transaction) -> str:
    """The first write for this transaction."""
    conversation = Conversation(offers)
    conversation.begin([transaction])
    return conversation.release().decode()


@pytest.mark.parametrize(
    ("offers", "transaction", "mail"),
    [
        (Offers(), Transaction("s@x.example", ["r@x.example"], LATIN), "MAIL FROM:<s@x.example>"),
        (Offers(), Transaction("", ["r@x.example"], PLAIN), "MAIL FROM:<>"),
        (
            EVERYTHING,
            Transaction("s@x.example", ["r@x.example"], LATIN),
            "MAIL FROM:<s@x.example> SIZE=21 BODY=8BITMIME",
        ),
        (EVERYTHING, Transaction("s@x", ["r@x"], PLAIN), "MAIL FROM:<s@x> SIZE=21"),
        (EVERYTHING, Transaction("s@x", ["r@x", "é@x"], PLAIN), "MAIL FROM:<s@x> SIZE=21 SMTPUTF8"),
        (EVERYTHING, Transaction('"a> b"@x', ["r@x"], PLAIN), 'MAIL FROM:<"a> b"@x> SIZE=21'),
    ],
)
def test_extensions_are_used_where_offered_and_needed(
    offers: Offers, transaction: Transaction, mail: str
) -> None:
    """SIZE where offered, BODY=8BITMIME for 8-bit octets, SMTPUTF8 only for such an address."""
    assert asked(offers, transaction).splitlines()[0] == mail


def test_too_large_for_the_server() -> None:
    """A message over the SIZE that a server offered is refused without asking, for its own sake
    and nobody's fault; the next one is sent."""
    server = ScriptedServer()
    big, small = window(
        Conversation(Offers(pipelining=True, size=30)),
        server,
        [
            Transaction("s@x", ["a@x", "b@x"], (b"x" * 20, b"y" * 9 + b"\r\n")),
            Transaction("s@x", ["a@x"], PLAIN),
        ],
    )
    assert str(big.recipients[0]).startswith("552 5.3.4 message of 31 octets")
    assert [r.code for r in big.recipients if r] == [552, 552]
    assert small.data
    assert server.heard == ["MAIL", "RCPT", "DATA", "."]


def test_an_address_that_needs_smtputf8() -> None:
    """Without SMTPUTF8 such a recipient fails alone and in clear words; the others get it."""
    server = ScriptedServer()
    (result,) = window(
        Conversation(Offers(pipelining=True)),
        server,
        [Transaction("s@x", ["é@x", "a@x", "a@é"], PLAIN)],
    )
    assert [r.code for r in result.recipients if r] == [550, 250, 550]
    assert "SMTPUTF8" in str(result.recipients[0])
    assert server.took[0][1] == ("a@x",)


def test_a_domain_outside_ascii_needs_no_extension() -> None:
    """A member's domain is kept in A-labels (IDNA), so that any server takes it."""
    address = normalise("Anna@B\u00fccher.example")
    server = ScriptedServer()
    (result,) = window(
        Conversation(Offers(pipelining=True)), server, [Transaction("s@x", [address], PLAIN)]
    )
    assert [reply.code for reply in result.recipients if reply] == [250]
    assert server.took[0][1] == ("anna@xn--bcher-kva.example",)


def test_a_nul_is_not_offered() -> None:
    """A mail with a NUL octet is refused in clear words, for its own sake; the next one is sent."""
    server = ScriptedServer()
    nul, plain = window(
        Conversation(EVERYTHING),
        server,
        [
            Transaction("s@x", ["a@x", "b@x"], (b"Subject: x\r\n\r\n", b"a\0b\r\n")),
            Transaction("s@x", ["a@x"], PLAIN),
        ],
    )
    assert "NUL octet" in str(nul.recipients[0])
    assert [classify(reply).scope for reply in nul.recipients if reply] == ["message"] * 2
    assert [classify(reply).kind for reply in nul.recipients if reply] == ["failed"] * 2
    assert plain.data
    assert server.heard == ["MAIL", "RCPT", "DATA", "."]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a@x>\r\nRCPT TO:<b@x",
        "a@x\r\nDATA",
        "a@x\nRSET",
        "a@x> SIZE=1",
        "a b@x",
        "<a@x>",
        "a\x00@x",
        '"a"b> c@x',
        '"a\r\nb"@x',
        '"a\\"> SIZE=1 "b@x>',
        "a\\b@x",
    ],
)
def test_no_address_ends_its_command_early(address: str) -> None:
    """An address that would be more than an address is never written."""
    conversation = Conversation(Offers(pipelining=True))
    (result,) = conversation.begin([Transaction("s@x", [address], PLAIN)])
    assert [r.code for r in result.recipients if r] == [501]
    assert not conversation.speaks
    if address:
        (result,) = conversation.begin([Transaction(address, ["a@x"], PLAIN)])
        assert [r.command for r in result.recipients if r] == ["MAIL"]
        assert not conversation.speaks


@pytest.mark.parametrize("size", ["", "junk", "-1", "0"])
def test_a_size_without_a_number_is_no_limit(size: str) -> None:
    """SIZE without a sensible number says that the server knows the extension, no more."""
    assert Offers.of({"size": size}) == Offers(size=0)
    assert Offers.of({}).size is None
    assert Offers.of({"size": "10", "pipelining": "", "8bitmime": "", "smtputf8": ""}) == Offers(
        pipelining=True, eight_bit=True, utf8=True, size=10
    )
