"""Hooks: what they see, what they may say, and that none of them loses a mail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.hooks import Edit, Hit, Mail
from postroad.mail.addresses import Match
from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.runtime.blobs import RawMail
from postroad.runtime.errors import SettingsError
from postroad.runtime.health import Health
from projections.lists import List
from schemas.commands import Author
from schemas.mail import RawRef
from services.router import context, decider, hooking, rules
from services.router.context import NOTHING, Context, Hooked
from services.router.hooking import Hooks
from services.router.rewriting import rewritten
from tests.unit.router.mails import MEMBER, mail

TEAM = List(slug="team", address="team@lists.example.org")

HEAD = (
    b"From: ann@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nApproved: secret words\r\n"
    b"X-One: 1\r\n\r\nApproved: secret words\r\nHello.\r\n"
)


class Bytes(RawMail):
    """A mail whose bytes lie nowhere."""

    def __init__(self, data: bytes) -> None:
        self.ref = RawRef(mail_id="ab" * 16, chunks=1, size=len(data), sha256="", head=0)
        self._data = data

    async def start(self) -> bytes:
        return self._data


class Packages:
    """The entry points that there are."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[str, Callable[..., Any]]]] = {}

    def add(self, group: str, name: str, function: Callable[..., Any]) -> None:
        self.points.setdefault(f"postroad.{group}", []).append((name, function))

    def entry_points(self, group: str) -> list[Any]:
        class Point:
            def __init__(self, name: str, function: Callable[..., Any]) -> None:
                self.name = name
                self.function = function

            def load(self) -> Callable[..., Any]:
                return self.function

        return [Point(*each) for each in self.points.get(group, ())]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Packages:
    """Somebody's packages."""
    made = Packages()
    monkeypatch.setattr(metadata, "entry_points", made.entry_points)
    return made


async def asked(*names: str, health: Health | None = None, seconds: float = 5.0) -> Hooked:
    """What these hooks say of a mail."""
    active, post, data, trouble = Hooks(names, health, seconds), mail("Subject: x"), HEAD, ""
    if active.rewrites(post):
        post, data, trouble = await active.rewrite(post, TEAM, MEMBER, data)
    if trouble:
        return Hooked(trouble=trouble)
    looked = await active.add(NOTHING, post, TEAM, MEMBER, Bytes(data))
    assert looked.hooked is not None
    return looked.hooked


async def test_steps_come_before_rules_and_rules_before_edits(packages: Packages) -> None:
    """What a step notes is seen by all that follow, under its name; each group is asked in the
    order of the settings."""
    packages.add("edits", "b", lambda m: [Edit("set", "X-Notes", ",".join(m.notes.values()))])
    packages.add("rules", "b", lambda m: Hit(m.notes["a.words"]))
    packages.add("rules", "a", lambda m: Hit("held", "hold"))
    packages.add("steps", "b", lambda m: {"saw": m.notes["a.words"]})
    packages.add("steps", "a", lambda _: {"words": 7})
    packages.add("steps", "c", lambda _: 1 / 0)  # installed, but not active
    found = await asked("a", "b")
    assert [each.reason for each in found.hits] == ["a: held", "b: 7"]
    assert [each.value for each in found.edits] == ["7,7"]


async def test_a_hook_sees_the_mail_but_no_password(packages: Packages) -> None:
    """All header fields and the first lines, without what approves a post."""
    seen: list[Mail] = []
    packages.add("rules", "a", seen.append)
    await asked("a")
    assert seen[0].fields == (("from", "ann@example.org"), ("subject", "Grüße"), ("x-one", "1"))
    assert seen[0].lines == ("Hello.",)
    assert (seen[0].list, seen[0].member, seen[0].field("X-ONE")) == (TEAM.address, True, "1")
    assert "secret" not in repr(seen[0])


async def test_a_rewrite_is_seen_by_all_who_follow(packages: Packages) -> None:
    """The facts and the hooks after it have the new Subject and text; the mail keeps its id, and is
    known by its body as it came."""
    seen: list[Mail] = []
    packages.add("rewrites", "a", lambda _, data: data.replace(b"x", b"y"))
    packages.add("rewrites", "b", lambda m, _: seen.append(m))
    came = mail("Subject: x", body_sha256="as it came")
    active = Hooks(("a", "b"))
    assert active.rewrites(came)
    data = b"From: ann@example.org\r\nSubject: x\r\n\r\nx\r\n"
    post, data, trouble = await active.rewrite(came, TEAM, MEMBER, data)
    assert data == b"From: ann@example.org\r\nSubject: y\r\n\r\ny\r\n"
    assert (post.facts.subject, seen[0].subject, seen[0].lines, trouble) == ("y", "y", ("y",), "")
    assert (post.mail_id, post.body_sha256) == (came.mail_id, "as it came")
    assert (post.raw.size, post.raw.head, post.raw.part) == (len(data), len(data) - 3, 1)


def test_a_mail_with_a_password_is_not_rewritten(packages: Packages) -> None:
    """For octets would show it to a hook, in the header or in the text."""
    packages.add("rewrites", "a", lambda _, data: data)
    active = Hooks(("a",))
    assert active.rewrites(mail("Subject: x"))
    assert not active.rewrites(mail("Approved: secret"))
    assert not active.rewrites(mail("Subject: x", opening="approval"))


@given(st.binary(), st.binary())
def test_a_rewrite_changes_no_other_field(came: bytes, wanted: bytes) -> None:
    """Whatever the octets: the body is the wanted one, and of the header Subject, MIME-Version and
    Content-* are; every other field is one that came."""
    for one, other in ((came, wanted), (HEAD + came, b"Subject: new\nFrom: eve@x\n\n" + wanted)):
        data = rewritten(one, other)
        head, below = scan(data)[1], scan(other)[1]
        assert data[head:] == other[below:]
        assert _others(data) == _others(one)
        assert _others(other, theirs=True) == _others(data, theirs=True)


def _others(data: bytes, *, theirs: bool = False) -> list[tuple[bytes, bytes]]:
    def may(name: bytes) -> bool:
        return name in (b"subject", b"mime-version") or name.startswith(b"content-")

    found = [(each.name.lower(), data[each.value_start : each.value_end]) for each in fields(data)]
    return [each for each in found if may(each[0]) is theirs]


def fails(*_: object) -> None:
    raise RuntimeError("somebody's words")


def exits(*_: object) -> None:
    raise SystemExit(3)


IMPOSSIBLE = "it edits what could not stand in a header"
OURS = "it edits a field that is the list's own"
BURN: Any = "burn"
NONSENSE: list[tuple[str, Callable[..., Any], str]] = [
    ("rules", fails, "it fails with RuntimeError"),
    ("rules", exits, "it fails with SystemExit"),
    ("rewrites", fails, "it fails with RuntimeError"),
    ("rules", lambda _: True, "a rule answers with a Hit, or None"),
    ("rules", lambda _: Hit("x", BURN), "a rule answers with a Hit, or None"),
    ("steps", lambda _: [1], "a step answers with a mapping of notes, or None"),
    ("rewrites", lambda *_: "text", "a rewrite answers with octets, or None"),
    ("rewrites", lambda *_: b"x" * 1_100_000, "it makes a mail larger by more than 1 MB"),
    ("edits", lambda _: "X-A: 1", "it answers with a list of Edit, or None"),
    ("edits", lambda _: Edit("set", "X-A", "1\r\nBcc: x"), IMPOSSIBLE),
    ("edits", lambda _: Edit("set", "Bad Name", "1"), IMPOSSIBLE),
    ("edits", lambda _: Edit("remove", "List-Id"), OURS),
    ("edits", lambda _: Edit("set", "content-TYPE", "x"), OURS),
    ("edits", lambda _: Edit("remove", "*"), OURS),
]


@pytest.mark.parametrize(("group", "function", "why"), NONSENSE)
async def test_a_hook_that_fails_holds_the_mail_and_is_named(
    packages: Packages, group: str, function: Callable[..., Any], why: str
) -> None:
    """Whatever it does, the mail waits for a moderator, and the status says which hook failed, with
    no word of what it said. When it works again, that is told too."""
    health = Health("router")
    packages.add(group, "mine", function)
    found = await asked("mine", health=health)
    assert found.trouble == f"the hook mine could not be asked: {why}"
    looked = replace(NOTHING, hooked=found)
    to = Match("team")
    kind, _ = decider.decide(mail("Subject: x"), to, TEAM, MEMBER, looked=looked)
    assert kind == "held"
    (fact,) = health.answer().facts
    assert (fact.kind, fact.name, fact.ok, fact.detail) == ("hook", f"mine ({group})", False, why)


async def test_a_hook_that_hangs_is_not_waited_for(packages: Packages) -> None:
    """The mail is held in time; later mail is held at once, until the hook comes back."""
    free = threading.Event()
    packages.add("rules", "slow", lambda _: free.wait(60) and None)
    active = Hooks(("slow",), None, 0.05)

    async def ask() -> str:
        looked = await active.add(NOTHING, mail("Subject: x"), TEAM, MEMBER, Bytes(HEAD))
        assert looked.hooked is not None
        return looked.hooked.trouble

    assert await ask() == "the hook slow could not be asked: it takes longer than 0.05 s"
    assert (await ask()).endswith("it has not come back from an earlier mail")
    free.set()
    (hook,) = active._hooks
    hook.running.result(5)
    assert await ask() == ""


def test_hooks_that_there_are_not_are_refused_with_the_nearest(packages: Packages) -> None:
    """So is one that cannot be loaded; each by its name."""
    packages.add("rules", "spamcount", lambda _: None)
    with pytest.raises(
        SettingsError, match="no package has a hook 'spamcuont'; did you mean 'spam"
    ):
        hooking.load(["spamcuont"])
    packages.add("rules", "seven", 7)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="'seven' is no function"):
        hooking.load(["seven"])


async def test_without_hooks_nothing_is_read() -> None:
    """A list without hooks costs nothing: the bytes of the mail are not fetched."""
    nowhere: Any = None
    looked = await Hooks(()).add(NOTHING, mail("Subject: x"), TEAM, Author(), nowhere)
    assert looked is NOTHING


def test_what_other_rules_decide_stands() -> None:
    """Hooks are asked last: of a mail that is held anyway they only add their reason."""
    hooked = Hooked(hits=(context.Hit("a: remarks"), context.Hit("b: fine", "accept")))
    held = Context(mail("From:"), TEAM, MEMBER, looked=replace(NOTHING, hooked=hooked))
    rulings = rules.ask(rules.POST, held)
    assert rules.decisive(rulings).rule == "no-senders"
    assert next(each.hit for each in rulings if each.rule == "hooks") == hooked.hits[1]
