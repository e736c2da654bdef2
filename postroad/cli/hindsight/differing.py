"""Then and now, side by side: in what a decision on a mail at a list would differ. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from postroad.cli.hindsight.decided import NOT_REACHED, STOPS, Decided
from schemas.mail import HeaderEdit
from schemas.road import PostRouted

Kind = Literal["verdict", "rule", "audience", "headers", "text"]
COPIES = "(copies)"  # stands for a field: whether each member has a copy of their own
VALUE = 200  # characters of a header field that are shown

# kinds of what became of a mail -> a mail of that kind can be let through to the list
_MENDABLE = (*STOPS, "unrouted", NOT_REACHED)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mail, or would: `outcome` as `Decided.kind`, by which rule and why, and how
    many copies went out, None where that is not known."""

    outcome: str
    rule: str = ""
    reason: str = ""
    copies: int | None = 0


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the header of each copy that was edited otherwise: how, then and now."""

    name: str
    then: str
    now: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One mail at one list. `differs` is empty where nothing would be otherwise. `more` and `fewer`
    are addresses that get a copy now, or do not. `send` says what `replay` would send (a post,
    copies), `kept` why it would send nothing though something differs."""

    mail: str
    list: str
    time: str = ""
    author: str = ""
    subject: str = ""
    then: Side
    now: Side
    differs: tuple[Kind, ...] = ()
    fields: tuple[Field, ...] = ()
    text: str = ""
    more: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()
    send: Literal["", "post", "copies"] = ""
    kept: str = ""
    # what sending it needs
    slug: str = ""
    decided: int = 0
    as_of: int = 0


def compare(
    then: Decided, now: Decided, *, also_then: Sequence[str] = (), also_now: Sequence[str] = ()
) -> tuple[tuple[Kind, ...], tuple[Field, ...], str, tuple[str, ...], tuple[str, ...]]:
    """In what they differ: kinds, fields of the header, the text in words, and the addresses that
    `also_to` names more or fewer."""
    kinds: list[Kind] = []
    if then.kind != now.kind:
        kinds.append("verdict")
    elif then.rule != now.rule:
        kinds.append("rule")
    if then.post is None or now.post is None:
        return tuple(kinds), (), "", (), ()
    more = tuple(each for each in also_now if each not in also_then)
    fewer = tuple(each for each in also_then if each not in also_now)
    if more or fewer:
        kinds.append("audience")
    if changed := tuple(fields(then.post, now.post)):
        kinds.append("headers")
    if words := text(then.post, now.post):
        kinds.append("text")
    return tuple(kinds), changed, words, more, fewer


def fields(then: PostRouted, now: PostRouted) -> Iterable[Field]:
    """The fields of the header that are edited otherwise, in order of name."""
    if then.edits != now.edits:
        before, after = _by_name(then.edits), _by_name(now.edits)
        for name in sorted({*before, *after}, key=str.lower):
            one, other = before.get(name, ""), after.get(name, "")
            if one != other:
                yield Field(name=name, then=one, now=other)
    if then.personal != now.personal:
        forms = {True: "one for each member", False: "shared"}
        yield Field(name=COPIES, then=forms[then.personal], now=forms[now.personal])


def text(then: PostRouted, now: PostRouted) -> str:
    """How the text of copies differs, in words; empty where it does not."""
    lines = then.insertions != now.insertions
    body = then.raw.sha256 != now.raw.sha256
    if lines and body:
        return "other lines around it, and another body"
    if lines:
        return "other lines of the list around it"
    return "another body is left by the filter, or made" if body else ""


def mendable(then: Decided, now: Decided) -> tuple[bool, str]:
    """Whether a mail would be a post today and can still become one; if not, why."""
    if now.kind != "post" or then.kind == "post":
        lost = then.kind == "post" and now.kind != "post"
        return False, "its copies are out: they cannot be taken back" if lost else ""
    if then.by_person:
        return False, "a moderator has decided on it"
    if then.accepted:
        return False, "it was let through before"
    if then.stopped and then.stopped.password:
        return False, "it tells a moderator's password"
    if then.kind not in _MENDABLE:
        return False, f"it was taken for a {then.kind}"
    return True, ""


def _by_name(edits: Iterable[HeaderEdit]) -> dict[str, str]:
    """What is done to each field, by the name that it was first called by."""
    names: dict[str, str] = {}
    told: dict[str, str] = {}
    for each in edits:
        name = names.setdefault(each.name.lower(), each.name)
        told[name] = f"{told[name]}; {_told(each)}" if name in told else _told(each)
    return told


def _told(edit: HeaderEdit) -> str:
    value = edit.value if len(edit.value) <= VALUE else f"{edit.value[:VALUE]}..."
    return f"{edit.op} {value}".strip()
