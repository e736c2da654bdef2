"""Loads the hooks that `[site] hooks` names, and asks them of each post (see `postroad.hooks`).

A hook runs in a thread of its own, one mail at a time. It may do as it likes there, but for one
thing: it cannot lose a mail. Where it raises, answers nonsense or takes longer than `SECONDS`, the
mail is held and the hook named, here and in `postroad status`. One that does not come back is not
asked again until it has.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from importlib import metadata
from threading import Thread
from types import MappingProxyType
from typing import Any

from postroad import hooks
from postroad.mail import approval, edits
from postroad.mail.headers import APPROVAL, decoded_fields
from postroad.mail.parts import first_lines
from postroad.mail.words import printable
from postroad.runtime.blobs import RawMail
from postroad.runtime.errors import SettingsError
from postroad.runtime.health import Health
from projections.lists import List
from schemas.commands import Author
from schemas.mail import HeaderEdit
from schemas.road import MailReceived
from services.router.context import Hit, Hooked, Looked
from services.router.rewriting import rewritten, told_anew

SECONDS = 2.0  # for one hook and one mail, its turn included
LINES = 50
REASON = 500  # characters
NOTES, EDITS = 50, 50  # of one hook and one mail
GROUPS = (hooks.REWRITES, hooks.STEPS, hooks.RULES, hooks.EDITS)
_VERDICTS = (None, "accept", "hold", "reject", "discard")
_OPS = ("set", "add", "remove", "prefix")
# What tells a mail that comes round again, who answers for it, or how its body is read.
_OURS = ("list-", "x-postroad-", "x-been", "received", "content-", "mime-", "arc-", "dkim-")
_ALSO_OURS = ("return-path", "from", "sender", "message-id", "authentication-results", *APPROVAL)


class Trouble(Exception):
    """What a hook did wrong, in plain words."""


@dataclass
class Hook:
    """One function of one group, asked in daemon threads: one that hangs keeps no router from
    ending."""

    name: str
    group: str
    call: Callable[..., Any]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: Future[Any] = field(default_factory=Future)

    async def ask(self, seconds: float, *mail: hooks.Mail | bytes) -> Any:
        """Its answer. Raises Trouble."""
        try:
            async with asyncio.timeout(seconds), self.turn:
                if self.running.running():
                    raise Trouble("it has not come back from an earlier mail")
                self.running = Future()
                self.running.set_running_or_notify_cancel()
                run = Thread(target=_run, args=(self.running, self.call, *mail), daemon=True)
                run.start()
                return await asyncio.wrap_future(self.running)
        except TimeoutError:
            raise Trouble(f"it takes longer than {seconds:g} s") from None


def _run(answer: Future[Any], call: Callable[..., Any], *mail: hooks.Mail | bytes) -> None:
    try:
        answer.set_result(call(*mail))
    except BaseException as error:  # noqa: BLE001  whatever it is, it is not the mail's fault
        answer.set_exception(Trouble(f"it fails with {type(error).__name__}"))


class Hooks:
    """The active hooks. Raises SettingsError where one is not installed, or cannot be loaded."""

    def __init__(
        self, names: Sequence[str], health: Health | None = None, seconds: float = SECONDS
    ) -> None:
        self._hooks = load(names)
        self._health = health
        self._seconds = seconds

    def rewrites(self, mail: MailReceived) -> bool:
        """Whether any may give a mail another text: none with a moderator's password in it."""
        secret = mail.facts.approval or mail.opening == "approval"
        return not secret and any(hook.group == hooks.REWRITES for hook in self._hooks)

    async def rewrite(
        self, mail: MailReceived, known: List, author: Author, data: bytes
    ) -> tuple[MailReceived, bytes, str]:
        """The mail with the text that hooks give it, its octets, and why one could not be asked:
        then it is as it came."""
        came = mail, data
        for hook in self._hooks:
            if hook.group != hooks.REWRITES:
                continue
            try:
                answer = await hook.ask(self._seconds, _view(mail, known, author, data), data)
                if answer is not None and answer != data:
                    data = _rewritten(came[1], answer)
                    mail = told_anew(mail, data)
            except Trouble as trouble:
                return *came, self._failed(hook, trouble)
            self._report(hook)
        return mail, data, ""

    async def add(
        self, looked: Looked, mail: MailReceived, known: List, author: Author, raw: RawMail
    ) -> Looked:
        """What the other hooks say of a post, beside what was looked at before. Raises Retry,
        Reject (see `get_raw`), never for a hook."""
        if not self._hooks:
            return looked
        view = _view(mail, known, author, await raw.start())
        notes: dict[str, str] = {}
        hits: list[Hit] = []
        changes: list[HeaderEdit] = []
        for hook in self._hooks:
            if hook.group == hooks.REWRITES:
                continue
            try:
                answer = await hook.ask(self._seconds, view)
                if hook.group == hooks.STEPS:
                    notes |= _notes(hook.name, answer)
                    view = replace(view, notes=MappingProxyType(dict(notes)))
                elif hook.group == hooks.RULES:
                    hits += _hits(hook.name, answer)
                else:
                    changes += _edits(answer)
            except Trouble as failure:
                return replace(looked, hooked=Hooked(trouble=self._failed(hook, failure)))
            self._report(hook)
        return replace(looked, hooked=Hooked(hits=tuple(hits), edits=tuple(changes)))

    def _failed(self, hook: Hook, trouble: Trouble) -> str:
        self._report(hook, str(trouble))
        return f"the hook {hook.name} could not be asked: {trouble}"

    def _report(self, hook: Hook, trouble: str = "") -> None:
        if self._health is not None:
            name = f"{hook.name} ({hook.group.partition('.')[2]})"
            self._health.report("hook", name, ok=not trouble, detail=trouble)


def load(names: Iterable[str]) -> tuple[Hook, ...]:
    """The functions under these names: rewrites, steps, rules, then edits, each in the order of
    the names. Raises SettingsError."""
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        return ()
    found = {group: metadata.entry_points(group=group) for group in GROUPS}
    installed = sorted({point.name for points in found.values() for point in points})
    for name in wanted:
        if name not in installed:
            near = difflib.get_close_matches(name, installed, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            there = ", ".join(installed) or "none"
            raise SettingsError(
                f"[site] hooks: no package has a hook {name!r}; {hint}there are: {there}"
            )
    return tuple(
        Hook(point.name, group, _loaded(point))
        for group in GROUPS
        for name in wanted
        for point in found[group]
        if point.name == name
    )


def _loaded(point: metadata.EntryPoint) -> Callable[[hooks.Mail], Any]:
    try:
        function = point.load()
    except Exception as error:  # noqa: BLE001  it is somebody else's code
        why = f"{type(error).__name__}: {error}"
        raise SettingsError(f"[site] hooks: {point.name!r} cannot be loaded: {why}") from None
    if not callable(function):
        raise SettingsError(f"[site] hooks: {point.name!r} is no function")
    return function  # type: ignore[no-any-return]


def _view(mail: MailReceived, known: List, author: Author, data: bytes) -> hooks.Mail:
    """What hooks see of a mail: all but a moderator's password."""
    facts = mail.facts
    return hooks.Mail(
        list=known.address,
        message_id=facts.message_id,
        authors=tuple(box.address for box in facts.from_),
        to=tuple(box.address for box in facts.to),
        cc=tuple(box.address for box in facts.cc),
        subject=facts.subject,
        sender=mail.envelope_from,
        member="member" in author.roles,
        size=mail.raw.size,
        fields=tuple(each for each in decoded_fields(data) if each[0] not in APPROVAL),
        lines=tuple(line for line in first_lines(data, LINES) if approval.in_line(line) is None),
    )


def _rewritten(came: bytes, answer: object) -> bytes:
    if not isinstance(answer, bytes):
        raise Trouble("a rewrite answers with octets, or None")
    try:
        return rewritten(came, answer)
    except ValueError as error:
        raise Trouble(str(error)) from None


def _notes(name: str, answer: object) -> dict[str, str]:
    if answer is None:
        return {}
    if not isinstance(answer, Mapping) or len(answer) > NOTES:
        raise Trouble("a step answers with a mapping of notes, or None")
    return {f"{name}.{key}": str(value)[:REASON] for key, value in answer.items()}


def _hits(name: str, answer: object) -> list[Hit]:
    if answer is None:
        return []
    if not isinstance(answer, hooks.Hit) or answer.verdict not in _VERDICTS:
        raise Trouble("a rule answers with a Hit, or None")
    return [Hit(f"{name}: {printable(str(answer.reason), REASON)}", answer.verdict)]


def _edits(answer: object) -> list[HeaderEdit]:
    if answer is None:
        return []
    changes = list(answer) if isinstance(answer, list | tuple) else [answer]
    if len(changes) > EDITS or not all(isinstance(each, hooks.Edit) for each in changes):
        raise Trouble("it answers with a list of Edit, or None")
    return [_edit(each) for each in changes if isinstance(each, hooks.Edit)]


def _edit(change: hooks.Edit) -> HeaderEdit:
    if change.op not in _OPS or (change.op == "prefix" and change.name.lower() != "subject"):
        raise Trouble("it edits in a way that there is not")
    name = str(change.name).lower()
    if name.startswith(_OURS) or name in _ALSO_OURS or "*" in name:
        raise Trouble("it edits a field that is the list's own")
    try:
        return edits.edit(change.op, change.name, change.value)
    except (ValueError, TypeError):
        raise Trouble("it edits what could not stand in a header") from None
