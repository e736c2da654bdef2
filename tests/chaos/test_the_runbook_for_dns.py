"""The page of docs/operators on wrong DNS, followed until receivers find all they ask for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.chaos.runbook import DO, KNOW, Page
from tests.e2e.examined import relay, section, write
from tests.e2e.system import Result, postroad
from tests.peers.dns import Dns
from tests.peers.signingkeys import RSA_FILE
from tests.peers.sink import Script, Sink

pytestmark = pytest.mark.chaos
DOMAIN = "example.org"
SEEN = "8.8.4.4"  # where the relay says that it sees us
KEY = f"postroad._domainkey.{DOMAIN} TXT"
WRONG = {
    f"{DOMAIN} TXT": ['"site-verification=x"'],
    "mail.example.org A": [SEEN],
    KEY: ['"v=DKIM1; k=rsa; p=MIGfMA0G"'],
}


@asynccontextmanager
async def _domain(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Dns, Path]]:
    """A domain of lists that signs, with its zone and settings."""
    key = home / "dkim.pem"
    key.write_bytes(RSA_FILE.read_bytes())
    key.chmod(0o600)
    extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"hello [{SEEN}]")
    async with Dns.start(WRONG) as dns, Sink.start(Script(extensions=extensions)) as sink:
        monkeypatch.setenv("POSTROAD_RESOLVER", dns.address)
        own = section("[[domain]]", {"name": DOMAIN, "dkim_key_file": str(key)})
        yield dns, write(home, relay(sink.port), own)


async def _follow(page: Page, part: str, config: Path) -> dict[str, Result]:
    said = {}
    for line in (line for block in page.blocks(part) for line in block):
        words = line.split()[1:]
        said[line] = await postroad(*words, "--config", str(config))
        assert "internal error" not in said[line].err, said
    return said


async def test_what_doctor_prints_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of MX, SPF, DKIM, DMARC and PTR that is wrong is named in the words of the page, with
    the record to publish; with exactly these in the zone no row of DNS fails or warns."""
    page = Page.named("wrong-dns")
    async with _domain(tmp_path, monkeypatch) as (dns, config):
        said = await _follow(page, DO, config)
        text = "".join(each.out for each in said.values())
        rows = " ".join(text.split())
        seen = page.symptoms(rows)
        assert len(seen) == 5, seen
        found = re.findall(r"^([\w.-]+)\. (MX|TXT|PTR) (.+)$", text, re.MULTILINE)
        assert {(name, kind) for name, kind, _ in found} == {
            (DOMAIN, "MX"),
            (DOMAIN, "TXT"),
            (KEY.removesuffix(" TXT"), "TXT"),
            (f"_dmarc.{DOMAIN}", "TXT"),
            ("4.4.8.8.in-addr.arpa", "PTR"),
        }, text
        dns.records[KEY].clear()
        for name, kind, record in dict.fromkeys(found):
            own = record.replace("ADDRESS-OF-THE-RELAY", SEEN)
            own = re.sub("SERVER-OF-THE-MAILBOX|NAME-OF-THIS-MACHINE", "mail.example.org", own)
            dns.records.setdefault(f"{name} {kind}", []).append(own)
        for line, done in (await _follow(page, KNOW, config)).items():
            assert done.code == 0, (line, done)
            unwell = re.findall(r"^(?:failed|warning) +(?!copy)\S+", done.out, re.MULTILINE)
            assert not unwell, done.out
