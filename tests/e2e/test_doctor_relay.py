"""`postroad doctor` on a relay: login, what it offers, which senders it takes; nothing is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.examined import (
    LISTS,
    SECRET,
    check,
    every,
    examined,
    relay,
    secret,
    section,
    source,
)
from tests.e2e.system import System
from tests.peers.dovecot import Dovecot
from tests.peers.httpscript import HttpScript
from tests.peers.postfix import Postfix
from tests.peers.sink import Rule, Script, Sink

pytestmark = pytest.mark.e2e


async def test_login_refused(tmp_path: Path) -> None:
    """A wrong password is told in the relay's words, a right one is ok."""
    async with Sink.start(Script(users={LISTS: SECRET})) as sink:
        account = {"user": LISTS, "password_file": secret(tmp_path)}
        assert (await check("login", tmp_path, relay(sink.port, **account))).state == "ok"
        account["password_file"] = secret(tmp_path, "wrong", "other")
        found = await check("login", tmp_path, relay(sink.port, **account))
    assert (found.state, "535 5.7.8" in found.finding) == ("failed", True)
    assert found.remedy == "check user and password_file"


async def test_extensions_that_are_missing(tmp_path: Path) -> None:
    """What the relay does not offer is told with what is lost by it."""
    async with Sink.start() as sink:
        assert (await check("extensions", tmp_path, relay(sink.port))).state == "ok"
        sink.tell(Script(extensions=("SIZE 1000000",)))
        found = await check("extensions", tmp_path, relay(sink.port))
    assert found.state == "warning"
    assert all(word in found.finding for word in ("PIPELINING", "8BITMIME", "1.0 MB"))


@pytest.mark.parametrize(
    ("refuses", "remedy"),
    [("^$", "set null_sender = false"), ("example.org$", 'set envelope = "user"')],
    ids=["null", "ours"],
)
async def test_senders_that_are_refused(tmp_path: Path, refuses: str, remedy: str) -> None:
    """A relay that does not take an envelope sender of ours is told, with the setting for it; no
    recipient is ever named, so nothing can be sent."""
    async with Sink.start() as sink:
        found = await check("senders", tmp_path, relay(sink.port))
        assert (found.state, "the null sender" in found.finding) == ("ok", True)
        sink.tell(Script(rules=(Rule(at="mail", match=refuses, reply="550 5.7.1 not you"),)))
        found = await check("senders", tmp_path, relay(sink.port))
        assert (found.state, remedy in found.remedy) == ("failed", True), found
        assert (sink.records(), sink.violations()) == ([], [])
        found = await check(
            "senders", tmp_path, relay(sink.port, null_sender=False, envelope=LISTS)
        )
    assert found.state == ("failed" if remedy.endswith('"user"') else "ok")


async def test_senders_at_a_relay_that_hangs_up(tmp_path: Path) -> None:
    """A relay that answers MAIL by hanging up is not judged by that."""
    gone = Rule(at="mail", close=True)
    async with Sink.start(Script(rules=(gone,))) as sink:
        assert (await check("senders", tmp_path, relay(sink.port))).state == "skipped"


async def test_senders_at_a_real_relay(tmp_path: Path) -> None:
    """A Postfix of one's own takes all of them, and its queue stays empty."""
    async with Sink.start() as sink, Postfix.start(f"smtp:[127.0.0.1]:{sink.port}") as postfix:
        assert (await check("senders", tmp_path, relay(postfix.port))).state == "ok"
        assert postfix.queue() == []


async def test_senders_of_every_relay(tmp_path: Path) -> None:
    """Each relay that may get copies is asked for the senders of these copies: by weight, by the
    recipients' domain, by the list's."""
    async with Sink.start(Script(rules=(Rule(at="mail", match="b.org$", reply="550 no"),))) as sink:
        settings = relay(sink.port)
        settings += relay(sink.port, name="net", domains=["*.example.net"])
        settings += relay(sink.port, name="chosen")
        settings += section("[[domain]]", {"name": "b.org", "relay": "chosen"})
        found = await every("senders", tmp_path, settings)
    told = {each.subject: (each.state, each.finding.split(" as ")[0]) for each in found}
    ours = "takes postroad-doctor@example.org, the null sender at MAIL; nothing was sent"
    assert told == {
        "relay out": ("ok", ours),
        "relay net": ("failed", "refuses postroad-doctor@b.org"),
        "relay chosen": ("failed", "refuses postroad-doctor@b.org"),
    }


async def test_limits_of_the_provider(tmp_path: Path) -> None:
    """A provider's limit that is not set, or set too high, is a warning; a list that is larger than
    a day's limit has failed."""
    async with Sink.start() as sink:
        user = {"user": LISTS, "password_file": secret(tmp_path), "profile": "gmail"}
        sink.tell(Script(users={LISTS: SECRET}))
        gmail = relay(sink.port, **user)
        assert (await check("limits", tmp_path, gmail)).finding.startswith("500 recipients")
        for daily in (0, 5000):
            found = await check("limits", tmp_path, relay(sink.port, daily=daily, **user))
            assert (found.state, "set daily = 500" in found.remedy) == ("warning", True)
        small = relay(sink.port, daily=2, **user)
        async with System.start(tmp_path, source(tmp_path, 1), services=("membership",)) as road:
            await road.make_list("team@example.org", [f"p{n}@example.net" for n in range(3)])
            found = await check("limits", tmp_path, small)
            shared = small + relay(sink.port, name="other", weight=2)
            assert (await check("limits", tmp_path, shared)).state == "ok"
            split = small + relay(sink.port, name="other", domains=["example.net"])
            assert (await check("limits", tmp_path, split)).state == "ok"
    assert (found.state, "has 3 members" in found.finding) == ("failed", True)


async def test_limits_that_two_senders_count_apart(tmp_path: Path) -> None:
    """Limits are told in full; that they hold for each sender process alone is a warning where
    there are two."""
    async with Sink.start() as sink:
        limited = relay(sink.port, rate=["50/s", "3000/h"])
        limited += section("[[relay.destination]]", {"domains": ["example.net"], "daily": 9})
        assert (await check("limits", tmp_path, limited)).finding == (
            "50/s, 3000/h; example.net: 9 in 24 hours; beyond that, copies wait"
        )
        async with System.start(tmp_path, limited, services=("sender",)) as road:
            road.processes["first sender"] = road.processes.pop("sender")
            await road.run("sender")
            await road.ready(["sender"])
            found = await check("limits", tmp_path, limited)
            free = await check("limits", tmp_path, relay(sink.port))
    assert (found.state, "2 senders run" in found.finding) == ("warning", True)
    assert free.state == "ok"


async def test_greeting_of_a_real_lmtp_server(tmp_path: Path) -> None:
    """A Dovecot that takes mail by LMTP is asked in its own language; one that speaks SMTP is not
    taken for it."""
    async with Dovecot.start({LISTS: SECRET}) as dovecot, Sink.start() as sink:
        assert dovecot.lmtp_port is not None
        found = await examined(tmp_path, relay(dovecot.lmtp_port, kind="lmtp"))
        states = {name: found[name].state for name in ("greeting", "login", "senders", "limits")}
        assert set(states.values()) == {"ok"}, found
        assert found["greeting"].finding == "speaks LMTP"
        wrong = await check("greeting", tmp_path, relay(sink.port, kind="lmtp"))
    assert wrong.state == "failed"


async def test_login_at_a_url(tmp_path: Path) -> None:
    """A provider is asked with OPTIONS and our token; one that refuses it is told, and nothing is
    posted."""
    async with HttpScript.start(["204 No Content", "401 Unauthorized"]) as server:
        settings = {"name": "api", "kind": "http", "url": server.url}
        api = section("[[relay]]", {**settings, "token_file": secret(tmp_path, "abc", "token")})
        found = await examined(tmp_path, api)
        relevant = {name for name, each in found.items() if each.subject == "relay api"}
        assert relevant == {"host", "connection", "tls", "login", "limits"}
        assert found["login"].state == "ok"
        refused = await check("login", tmp_path, api)
    assert (refused.state, refused.finding) == ("failed", "refuses the token: HTTP 401")
    assert [request.line.split()[0] for request in server.requests] == ["OPTIONS", "OPTIONS"]
    assert server.requests[0].fields["authorization"] == "Bearer abc"


@pytest.mark.parametrize("name", ["archive", "archive.mbox"])
async def test_store_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """A Maildir or mbox is looked at and nothing is created; a folder that is missing, or the
    wrong thing at its place, is told."""

    def store(path: Path) -> str:
        return section("[[relay]]", {"name": "kept", "kind": "file", "path": str(path)})

    seen = await examined(tmp_path, store(tmp_path / name))
    assert {check for check, each in seen.items() if each.subject == "relay kept"} == {
        "store",
        "limits",
    }
    assert seen["store"].state == "ok"
    assert not (tmp_path / name).exists()
    missing = await check("store", tmp_path, store(tmp_path / "missing" / name))
    assert (missing.state, "there is no folder" in missing.finding) == ("failed", True)
    wrong = tmp_path / name
    wrong.mkdir() if name.endswith("mbox") else wrong.touch()
    found = await check("store", tmp_path, store(wrong))
    assert (found.state, "folder" in found.finding) == ("failed", True)
