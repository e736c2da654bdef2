"""`postroad doctor` on a copy as it would be sent, and on the address it would come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from postroad.cli.doctor.finding import Finding, ok
from postroad.cli.doctor.judge.broker import List
from postroad.cli.doctor.judge.copy import RULES, Sample, judge
from postroad.cli.doctor.judge.ptr import Reverse, ptr
from postroad.cli.doctor.probe import copy as probe
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.doctor.probe.ptr import reverse
from postroad.cli.doctor.probe.spf import covers
from postroad.runtime.config import Config
from postroad.runtime.settings import Dns as DnsSettings
from schemas.lists import ListSettings
from tests.e2e.examined import every, relay, secret, section, write
from tests.peers.dns import Dns
from tests.peers.signingkeys import RSA_FILE, rsa_key

pytestmark = pytest.mark.e2e

KEY = rsa_key("example.org", "postroad")
ZONE = {
    "example.org MX": ["10 mail.example.org."],
    "mail.example.org A": ["8.8.4.4"],
    "example.org TXT": ['"v=spf1 include:net.example.org mx -all"'],
    "net.example.org TXT": ['"v=spf1 ip4:8.8.8.0/24 ~all"'],
    "odd.example.org TXT": ['"v=spf1 exists:%{i}.example.net -all"'],
    "round.example.org TXT": ['"v=spf1 include:round.example.org -all"'],
    f"{KEY.name} TXT": [KEY.zone_text],
    "_dmarc.example.org TXT": ['"v=DMARC1; p=none"'],
    "8.8.8.8.in-addr.arpa PTR": ["mx.example.org."],
    "mx.example.org A": ["8.8.8.8"],
    "4.4.8.8.in-addr.arpa PTR": ["other.example.org."],
    "other.example.org A": ["192.0.2.4"],
}


def signed(home: Path) -> str:
    """The settings of a domain with a key, and pages to leave by."""
    key = secret(home, RSA_FILE.read_text(encoding="ascii"), "dkim.pem")
    given = {"name": "example.org", "dkim_key_file": key}
    return section("[[domain]]", given) + section("[web]", {"port": 1})


def sample(home: Path, *sections: str, settings: ListSettings | None = None) -> Sample:
    """A copy under these settings, where all checks of the domain are well."""
    config = Config.load(write(home, *sections), {})
    lists = [List("team@example.org", 3, 1, settings)] if settings else ()
    envelope, wire = probe.sample(config, config.domain[0], config.relay[0], lists)
    well = ok("x", "example.org", "well")
    return Sample("example.org", config.relay[0], envelope, wire, well, [well], well)


def marks(of: Sample) -> Mapping[str, Finding]:
    """What each rule makes of it."""
    return {finding.rule: finding for finding in judge(of)}


async def test_copy_of_a_sound_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key, pages to leave by and records in DNS every rule of large receivers is kept."""
    async with Dns.start(ZONE) as dns:
        monkeypatch.setenv("POSTROAD_RESOLVER", dns.address)
        found = await every("copy", tmp_path, relay(1), signed(tmp_path))
        assert {each.rule: each.state for each in found} == {r.name: "ok" for r in RULES}
        del dns.records[f"{KEY.name} TXT"], dns.records["_dmarc.example.org TXT"]
        found = await every("copy", tmp_path, relay(1), signed(tmp_path))
        unwell = {each.rule: each.state for each in found if each.state != "ok"}
        assert unwell == {"dkim": "failed", "dmarc": "warning"}


def test_copy_without_key_or_pages(tmp_path: Path) -> None:
    """What lacks without a key, and without links to leave by, is a warning with its remedy."""
    bare = marks(sample(tmp_path, relay(1)))
    unwell = {rule: each.state for rule, each in bare.items() if each.state != "ok"}
    wanted = ("unsubscribe", "one_click", "covered", "dkim", "arc", "alignment")
    assert unwell == dict.fromkeys(wanted, "warning")
    assert all(bare[rule].remedy for rule in wanted)
    shared = sample(tmp_path, relay(1), signed(tmp_path), settings=ListSettings(personalize="none"))
    assert marks(shared)["one_click"].state == "warning"


def test_copy_that_goes_in_the_clear(tmp_path: Path) -> None:
    """A relay elsewhere that is spoken to without TLS fails."""
    away = relay(1, host="relay.example.net")
    assert marks(sample(tmp_path, away, signed(tmp_path)))["tls"].state == "failed"


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"\r\nSubject:", b"\r\nFrom: b@b.example\r\nSubject:", "from"),
        (b"\r\nSubject:", b"\r\nSubject: x\r\nSubject:", "once"),
        (b"Message-ID: <", b"Message-ID: <<", "message_id"),
        (b"\r\nDate: ", b"\r\nX-Date: ", "date"),
        (b"octets", b"oc\rtets", "lines"),
        (b"octets", b"o" * 999, "lines"),
        (b"List-Id:", b"X-List-Id:", "list_id"),
        (b"List-Unsubscribe:", b"X-List-Unsubscribe:", "unsubscribe"),
    ],
)
def test_copy_that_breaks_a_rule(tmp_path: Path, old: bytes, new: bytes, rule: str) -> None:
    """A copy that a receiver would refuse fails the rule that it breaks."""
    whole = sample(tmp_path, relay(1), signed(tmp_path))
    assert {each.state for each in judge(whole)} == {"ok"}
    assert old in whole.wire
    broken = replace(whole, wire=whole.wire.replace(old, new, 1))
    assert marks(broken)[rule].state == "failed"


def test_ptr_of_the_address_that_is_seen() -> None:
    """An address without a name, or whose name leads elsewhere, is a warning, unless the relay
    knows us by a login; where nobody can tell the address, nothing is said."""
    named = {"mx.example.org": ["8.8.8.8"]}
    assert ptr("smtp", Reverse("8.8.8.8", named), logs_in=False).state == "ok"
    assert ptr("smtp", Reverse("8.8.8.8", {}), logs_in=False).state == "warning"
    assert ptr("smtp", Reverse("8.8.4.4", named), logs_in=False).state == "warning"
    assert ptr("smtp", Reverse("8.8.4.4", named), logs_in=True).state == "ok"
    assert ptr("smtp", Reverse(), logs_in=False).state == "skipped"
    assert ptr("smtp", Reverse("8.8.8.8", None, "silent"), logs_in=False).state == "skipped"


async def test_ptr_as_the_relay_greets() -> None:
    """The address is the one that the relay names in its answer to EHLO, and its name is asked of
    DNS, forth and back."""
    async with Dns.start(ZONE) as dns:
        resolver = Resolver(DnsSettings(resolver=dns.address))
        seen = await reverse(resolver, "mx.example.net at your service, [8.8.8.8]", "10.0.0.2")
        assert (seen.address, seen.names) == ("8.8.8.8", {"mx.example.org": ("8.8.8.8",)})
        other = await reverse(resolver, "mx.example.net", "8.8.4.4")
        assert ptr("smtp", other, logs_in=False).state == "warning"
        assert (
            await reverse(resolver, "mx.example.net Hello [10.0.0.2]", "10.0.0.2")
        ).address == ""


async def test_spf_covers_the_relay() -> None:
    """Whether the record lets an address send is found as a receiver does, by include, mx and
    addresses; what depends on more is left open, and a record that includes itself ends."""
    async with Dns.start(ZONE) as dns:
        resolver = Resolver(DnsSettings(resolver=dns.address))
        assert await covers(resolver, "example.org", "8.8.8.8")
        assert await covers(resolver, "example.org", "8.8.4.4")
        assert await covers(resolver, "example.org", "9.9.9.9") is False
        assert await covers(resolver, "odd.example.org", "9.9.9.9") is None
        assert await covers(resolver, "round.example.org", "9.9.9.9") is False
