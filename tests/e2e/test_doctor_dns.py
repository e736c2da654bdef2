"""`postroad doctor` on the DNS of a domain of lists, asked of a real name server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.examined import LISTS, check, every, examined, relay, secret, section, write
from tests.e2e.system import postroad
from tests.peers.dns import Dns
from tests.peers.signingkeys import RSA_FILE, ed25519_key, rsa_key

pytestmark = pytest.mark.e2e

ZONE = {
    "example.org MX": ["20 spare.example.org.", "10 mail.example.org."],
    "mail.example.org A": ["192.0.2.1"],
    "spare.example.org AAAA": ["2001:db8::1"],
    "example.org TXT": ['"site-verification=x"', '"v=spf1 include:one.example.net -all"'],
    "one.example.net TXT": ['"v=spf1 include:_spf.google.com " "-all"'],
    "_spf.google.com TXT": ['"v=spf1 ip4:192.0.2.0/24 ~all"'],
    "google._domainkey.example.org TXT": ['"v=DKIM1; k=rsa; p=MIGfMA0G"'],
    "_dmarc.example.org TXT": ['"v=DMARC1; p=none; rua=mailto:d@example.org"'],
}


@pytest.fixture
async def zone(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dns]:
    """A name server that the doctor asks, with everything as it should be."""
    async with Dns.start(ZONE) as dns:
        monkeypatch.setenv("POSTROAD_RESOLVER", dns.address)
        yield dns


def gmail(home: Path, envelope: str = LISTS) -> str:
    """Google Workspace as relay."""
    given = {"profile": "gmail", "user": LISTS, "password_file": secret(home)}
    return relay(1, envelope=envelope, **given)


async def test_mx_leads_to_a_host(zone: Dns, tmp_path: Path) -> None:
    """Mail for the domain goes to hosts that have an address, the best first."""
    found = await check("mx", tmp_path)
    assert found.state == "ok"
    assert "mail.example.org, spare.example.org" in found.finding


@pytest.mark.parametrize(
    ("records", "state", "words"),
    [
        ([], "failed", "no MX record"),
        (["0 ."], "failed", "null MX"),
        (["10 gone.example.org."], "failed", "has no address"),
        (["10 gone.example.org.", "20 mail.example.org."], "warning", "gone.example.org has no"),
    ],
    ids=["none", "null", "dangling", "half"],
)
async def test_mx_that_leads_nowhere(
    zone: Dns, tmp_path: Path, records: list[str], state: str, words: str
) -> None:
    """No MX, a null MX and one whose host has no address are told: mail to the lists bounces."""
    zone.records["example.org MX"] = records
    found = await check("mx", tmp_path)
    assert (found.state, words in found.finding) == (state, True)


async def test_mx_missing_with_an_address(zone: Dns, tmp_path: Path) -> None:
    """A domain without MX, but with an address, gets its mail there: a warning."""
    del zone.records["example.org MX"]
    zone.records["example.org A"] = ["192.0.2.9"]
    assert (await check("mx", tmp_path)).state == "warning"


async def test_spf_that_leads_to_the_provider(zone: Dns, tmp_path: Path) -> None:
    """The provider may be included by what is included."""
    found = await check("spf", tmp_path, gmail(tmp_path))
    assert (found.state, found.finding) == ("ok", "includes _spf.google.com")


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "no SPF record"),
        (['"v=spf1 ip4:192.0.2.1 +all"'], "+all"),
        (['"v=spf1 -all"'], "nobody"),
        (['"v=spf1 a -all"', '"v=spf1 mx -all"'], "2 SPF records"),
        (['"v=spf1 mx -all"'], "does not include _spf.google.com"),
        (['"v=spf1 ' + "a:x.example.org " * 11 + '-all"'], "more than 10 lookups"),
    ],
    ids=["none", "all", "nobody", "two", "other", "lookups"],
)
async def test_spf_that_helps_nobody(
    zone: Dns, tmp_path: Path, records: list[str], words: str
) -> None:
    """A record that is missing, doubled, open to all or to nobody, too long or without the
    provider fails, with the record to publish or the change to make."""
    zone.records["example.org TXT"] = records
    found = await check("spf", tmp_path, gmail(tmp_path))
    assert (found.state, words in found.finding) == ("failed", True), found


async def test_spf_of_another_domain_counts(zone: Dns, tmp_path: Path) -> None:
    """Where the envelope sender is at the provider, the domain's own record is not judged."""
    zone.records["example.org TXT"] = []
    found = await check("spf", tmp_path, gmail(tmp_path, envelope="me@gmail.com"))
    assert (found.state, "gmail.com" in found.finding) == ("skipped", True)


async def test_dkim_key_of_the_provider(zone: Dns, tmp_path: Path) -> None:
    """The key under the provider's usual selector shows that it signs."""
    found = await check("dkim", tmp_path, gmail(tmp_path))
    assert (found.state, "google._domainkey" in found.finding) == ("ok", True)


async def test_dkim_key_missing(zone: Dns, tmp_path: Path) -> None:
    """Without a key there, copies are not signed: how to turn it on is said."""
    del zone.records["google._domainkey.example.org TXT"]
    found = await check("dkim", tmp_path, gmail(tmp_path))
    assert (found.state, "turn on DKIM" in found.remedy) == ("warning", True)


async def test_dkim_of_another_author(zone: Dns, tmp_path: Path) -> None:
    """Where From is always the account's own address, the key of its domain counts."""
    mine = {"user": "me@gmail.com", "password_file": secret(tmp_path), "profile": "gmail"}
    found = await check("dkim", tmp_path, relay(1, **mine))
    assert (found.state, "gmail.com" in found.finding) == ("skipped", True)


async def test_dkim_of_an_unknown_relay(zone: Dns, tmp_path: Path) -> None:
    """Nobody sees whether a relay of one's own signs; that Postroad could is said."""
    found = await check("dkim", tmp_path, relay(1))
    assert (found.state, "dkim_key_file is not set" in found.finding) == ("skipped", True)


PUBLISHED = "postroad._domainkey.example.org TXT"


def signs(home: Path, file: Path = RSA_FILE, **settings: str) -> str:
    """The domain of the lists with a key of ours."""
    own = home / "dkim.pem"
    own.write_bytes(file.read_bytes())
    own.chmod(0o600)
    given = {"name": "example.org", "dkim_key_file": str(own), **settings}
    return section("[[domain]]", given)


async def test_our_own_key_is_published(zone: Dns, tmp_path: Path) -> None:
    """What DNS has is the public half of the key that signs, in however many strings."""
    zone.records[PUBLISHED] = [rsa_key("example.org", "postroad").zone_text]
    found = await check("dkim", tmp_path, relay(1), signs(tmp_path))
    assert found.state == "ok", found
    assert "Postroad signs; the key is published (postroad)" in found.finding


@pytest.mark.parametrize(
    ("record", "state", "words"),
    [
        (None, "failed", "no key at postroad._domainkey.example.org"),
        ('"v=DKIM1; k=rsa; p="', "failed", "is not the one we sign with"),
        (ed25519_key().zone_text, "failed", "is not the one we sign with"),
        (rsa_key().zone_text.replace("k=rsa; ", 'k=rsa; t=y; " "'), "warning", "only test (t=y)"),
    ],
    ids=["none", "revoked", "another", "test"],
)
async def test_our_own_key_is_not_as_it_should_be(
    zone: Dns, tmp_path: Path, record: str | None, state: str, words: str
) -> None:
    """A key that receivers do not find, or find otherwise, is told with the record to publish."""
    if record:
        zone.records[PUBLISHED] = [record]
    found = await check("dkim", tmp_path, relay(1), signs(tmp_path))
    assert (found.state, words in found.finding) == (state, True), found
    if state == "failed":
        publish = f"{rsa_key('example.org', 'postroad').zone_text}"
        assert found.remedy == f"publish: postroad._domainkey.example.org. TXT {publish}"


async def test_dkim_keys_that_are_missing(zone: Dns, tmp_path: Path) -> None:
    """Of two keys, and of two domains, each that is missing is told, with a record that is printed
    on one line, however wide the terminal is."""
    sections = [relay(1), signs(tmp_path, dkim_second_key_file=str(tmp_path / "dkim.pem"))]
    sections.append(signs(tmp_path, name="b.org"))
    result = await postroad(
        *("doctor", "--only", "dkim", "--config", str(write(tmp_path, *sections))),
        env={"POSTROAD_RESOLVER": zone.address, "COLUMNS": "60"},
    )
    assert (result.code, result.out.count("nobody can verify")) == (1, 3)
    for domain, selector in (
        *(("example.org", "postroad"), ("example.org", "postroad2")),
        ("b.org", "postroad"),
    ):
        key = rsa_key(domain, selector)
        assert f"{key.name}. TXT {key.zone_text}" in result.out.splitlines()


async def test_spf_of_every_relay(zone: Dns, tmp_path: Path) -> None:
    """Where two providers send, the record must name both: each is looked for."""
    both = gmail(tmp_path) + relay(1, name="other", profile="ses", host="localhost")
    found = await every("spf", tmp_path, both)
    assert [each.state for each in found] == ["ok", "warning"]
    assert "does not include amazonses.com" in found[1].finding


async def test_our_own_key_cannot_be_read(zone: Dns, tmp_path: Path) -> None:
    """Without the key there is no record to compare: the file is what has to be mended."""
    (tmp_path / "empty.pem").touch()
    found = await check("dkim", tmp_path, relay(1), signs(tmp_path, tmp_path / "empty.pem"))
    assert (found.state, "dkim_key_file: " in found.finding) == ("failed", True)


@pytest.mark.parametrize(
    ("at", "record", "finding"),
    [
        ("example.org", "v=DMARC1; p=reject", "p=reject"),
        ("example.org", "v=DMARC1; p=none; sp=reject", "p=none"),
    ],
)
async def test_dmarc_policy(zone: Dns, tmp_path: Path, at: str, record: str, finding: str) -> None:
    """The policy of the domain's own record holds."""
    zone.records[f"_dmarc.{at} TXT"] = [f'"{record}"']
    assert (await check("dmarc", tmp_path)).finding == finding


async def test_dmarc_of_a_subdomain(zone: Dns, tmp_path: Path) -> None:
    """A subdomain without a record has that of the domain above it, and its sp."""
    zone.records["_dmarc.example.org TXT"] = ['"v=DMARC1; p=none; sp=quarantine"']
    zone.records["lists.example.org A"] = ["192.0.2.1"]
    found = await check("dmarc", tmp_path, domain="lists.example.org")
    assert (found.state, found.finding) == ("ok", "p=quarantine, from example.org")


@pytest.mark.parametrize(
    ("records", "state", "words"),
    [
        ([], "warning", "no DMARC record"),
        (['"v=DMARC1; p=all"'], "failed", "no valid policy"),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "failed", "2 DMARC records"),
    ],
    ids=["none", "invalid", "two"],
)
async def test_dmarc_that_says_nothing(
    zone: Dns, tmp_path: Path, records: list[str], state: str, words: str
) -> None:
    """A missing record is a warning, one that receivers cannot read has failed."""
    zone.records["_dmarc.example.org TXT"] = records
    found = await check("dmarc", tmp_path)
    assert (found.state, words in found.finding) == (state, True), found


@pytest.mark.parametrize("name", ["mx", "spf", "dkim", "dmarc"])
async def test_servfail_is_not_taken_for_no_record(zone: Dns, tmp_path: Path, name: str) -> None:
    """A name server that fails is told as such, and no record is asked for."""
    zone.broken |= {"example.org", "_dmarc.example.org", "google._domainkey.example.org"}
    found = await check(name, tmp_path, gmail(tmp_path))
    assert (found.state, "answer with an error" in found.finding) == ("failed", True)


async def test_a_domain_that_is_not_registered(zone: Dns, tmp_path: Path) -> None:
    """A domain that is not in the DNS is told as such, once."""
    found = await examined(tmp_path, domain="exmaple.org")
    mx = found["mx"]
    assert (mx.state, mx.finding) == ("failed", "exmaple.org is not in the DNS")
    assert "correct [[domain]] name" in mx.remedy
    spf = found["spf"]
    assert (spf.state, spf.finding) == ("skipped", "not looked at without mx")


async def test_a_providers_domain_is_passed_over(zone: Dns, tmp_path: Path) -> None:
    """The records of gmail.com are not the operator's: nobody is asked for them."""
    found = await check("spf", tmp_path, domain="gmail.com")
    assert found.state == "skipped"
    assert zone.asked == []


async def test_long_answers_come_by_tcp(zone: Dns, tmp_path: Path) -> None:
    """An answer too large for a datagram is read all the same."""
    zone.records["example.org TXT"] += [f'"{number}{"x" * 200}"' for number in range(20)]
    assert (await check("spf", tmp_path, gmail(tmp_path))).state == "ok"
