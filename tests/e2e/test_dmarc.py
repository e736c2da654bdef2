"""Mail of authors whose domain wants changed mail refused (DMARC), as members get it."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from postroad.mail.canonical import BodyHash
from postroad.mail.dkim import Message, Signature
from tests.e2e.system import World, mail, until, world
from tests.peers.dns import Dns
from tests.peers.signingkeys import rsa_key
from tests.peers.verifiers import dkimpy

pytestmark = pytest.mark.e2e
READER = "reader@d1.example.net"
KEY = rsa_key("bank.example")
ZONE = {
    "_dmarc.bank.example TXT": ['"v=DMARC1; p=reject"'],
    "_dmarc.example.org TXT": ['"v=DMARC1; p=reject"'],
    "_dmarc.mild.example TXT": ['"v=DMARC1; p=none"'],
}
ANN = "ann@bank.example"


def signed(post: bytes) -> bytes:
    """A post with a signature of its author's domain, and what our mail server says of it."""
    head, _, body = post.partition(b"\r\n\r\n")
    digest = BodyHash()
    digest.update(body + b"\r\n")
    made = Signature.of(KEY, Message(head + b"\r\n", ("reply-to",)), (), int(time.time()))
    found = b"Authentication-Results: mx.example.org; dkim=pass header.d=bank.example\r\n"
    return found + made.over(digest.digest()).field() + post


@asynccontextmanager
async def road(
    home: Path, zone: Mapping[str, list[str]] = ZONE
) -> AsyncIterator[tuple[World, Dns]]:
    """The road, whose router asks a name server with this zone."""
    source = {"authserv_id": '"mx.example.org"'}
    async with (
        Dns.start(zone) as dns,
        world(home, source=source, services=(), keep=True) as here,
    ):
        for name in ("membership", "router", "sender", "ingest"):
            env = {"POSTROAD_DNS__RESOLVER": dns.address, "POSTROAD_DNS__TIMEOUT": "1s"}
            await here.road.run(name, env=env)
        await here.road.ready()
        yield here, dns


def octets(here: World) -> list[bytes]:
    """The copies."""
    return [Path(record.file).read_bytes() for record in here.sink.records()]


def read(here: World) -> dict[str, EmailMessage]:
    """The copies, by the local part of their Message-ID."""
    copies = (email.message_from_bytes(each, policy=email.policy.default) for each in octets(here))
    return {copy["Message-ID"].strip("<>").partition("@")[0]: copy for copy in copies}


async def test_members_get_what_receivers_take(tmp_path: Path) -> None:
    """From is the list's where receivers would refuse the author's, and only there: not for mild
    domains, not for our own, and not where the author's signature holds on the copy."""
    async with road(tmp_path) as (here, dns):
        await here.road.make_list("team@example.org", [READER])
        await here.road.make_list("plain@example.org", [READER], subject_prefix="")
        await here.road.make_list("never@example.org", [READER], dmarc_mitigate_action="reject")
        await here.road.make_list(
            "wrap@example.org",
            [READER],
            dmarc_mitigate_action="wrap_message",
            dmarc_wrapped_message_text="See below.",
            footer="Our list",
        )
        for post in (
            signed(mail("wrapped", to="wrap@example.org", author=ANN)),
            mail("strict", author=ANN),
            mail("mild", author="ann@mild.example"),
            mail("ours", author="ann@example.org"),
            signed(mail("broken", author=ANN)),
            signed(mail("whole", to="plain@example.org", author=ANN)),
            mail("stopped", to="never@example.org", author=ANN),
        ):
            here.post(post)
        await here.road.settled(7)
        copies = read(here)
        wrapped = copies.pop("wrapped")
        assert copies.keys() == {"strict", "mild", "ours", "broken", "whole"}
        for name in ("strict", "broken"):
            assert copies[name]["From"] == "Anna via Team <team@example.org>"
            assert copies[name]["Reply-To"] == f"Anna <{ANN}>"
            assert copies[name]["X-Original-From"] == f"Anna <{ANN}>"
        authors = {"mild": "ann@mild.example", "ours": "ann@example.org", "whole": ANN}
        for name, author in authors.items():
            assert copies[name]["From"] == f"Anna <{author}>"
            assert copies[name]["Reply-To"] is None
        with dkimpy() as verify:
            (whole,) = (each for each in octets(here) if b"<whole@posts>" in each)
            assert verify(whole, {KEY.name: KEY.record}).dkim == [True]
            assert wrapped["From"] == "Anna via Wrap <wrap@example.org>"
            above, inner, below = wrapped.iter_parts()
            assert above.get_content().strip() == "See below."
            assert below.get_content().strip().endswith("Our list")
            (octets_inside,) = (each for each in octets(here) if b"<wrapped@posts>" in each)
            start = octets_inside.index(b"DKIM-Signature")
            end = octets_inside.index(b"\r\n--", start)
            assert verify(octets_inside[start:end], {KEY.name: KEY.record}).dkim == [True]
            assert inner.get_content()["From"] == f"Anna <{ANN}>"
        shown = await here.road.cli("post", "ls", "--json", "--list", "never@example.org")
        (stopped,) = shown.json
        assert stopped["kind"] == "rejected"
        assert stopped["reason"].startswith("dmarc")
        assert dns.asked.count("_dmarc.bank.example TXT") == 1


async def test_mail_goes_on_without_a_name_server(tmp_path: Path) -> None:
    """A name server that is silent costs the first mail its time, and no other; From stays, and the
    status says what is missing."""
    async with road(tmp_path) as (here, dns):
        dns.silent.add(".")
        await here.road.make_list("team@example.org", [READER])
        for number in range(20):
            here.post(mail(number, author=f"ann@bank{number}.example"))
        await here.road.settled(20)
        assert all(copy["From"].startswith("Anna <ann@bank") for copy in read(here).values())
        assert len(read(here)) == 20

        async def told() -> bool:
            status = await here.road.cli("status")
            return status.code == 1 and "the name server does not answer" in status.out

        await until(told, "the status tells of the name server")
