"""A text of a letter as somebody typed it, in the place of ours. Pure.

    Subject: Welcome to {name}

    Hello! To write to all of us, send your mail to {list}.

The Subject may be left out, for ours. Paragraphs are wrapped anew; a line that was ended early
stays a line. Nothing but the fields of that letter is filled in, and none of it is ever markup.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec.structs import replace

from postroad.mail.addresses import Form
from services.membership.letters import mailman
from services.membership.letters.catalog import Text, placeholders, texts

SUBJECT = 200  # characters; a header line takes 998 octets
TEXT = 10_000  # characters: 250 lines
_HEAD = re.compile(r"subject:[ ]*(.*)", re.IGNORECASE)
_BRACES = re.compile(r"\{([^{}\s]{1,60})\}")
_OPENED = r"\{ *(?:%s)\b(?: *\}|(?![^{}\n]*\}))"  # what is nearly one of these fields
_OF_OTHERS = ("owner", "request")  # addresses that a list without sub-addresses has not
_ON_LINES = ("lists", "failures", "mails", "waiting", "token", "confirm")  # never in a Subject
WHY = {  # what a letter is for, where a field of `needs` is missing
    "confirm": "by it people answer where a plain reply does not arrive",
    "lists": "it is what was asked for",
    "reason": "it is all that this text is there for",
    "failures": "it says whose mail failed, and why",
    "waiting": "without it nobody knows what waits",
}


def named(word: str) -> str:
    """The letter that somebody means, perhaps by Mailman's name. Raises ValueError naming the
    nearest."""
    name = word.strip().lower().removesuffix(".txt")
    name = mailman.NAMES.get(name, name)
    if name not in texts():
        near = _nearest(name, (*texts(), *mailman.NAMES)) or "; `postroad template ls` shows them"
        raise ValueError(f"there is no letter {word.strip()!r}{near}")
    return name


def kept(typed: str) -> str:
    """A text as it is kept: with LF, without tabs, and without blanks around it."""
    lines = [line.expandtabs(4).rstrip() for line in typed.removeprefix("\ufeff").splitlines()]
    return "\n".join(lines).strip("\n")


def check(name: str, typed: str, form: Form) -> None:
    """Raise ValueError, in one line, where this text (`kept`) cannot be what a list with this form
    of addresses says in the letter `name`."""
    text = read(name, typed)
    if form == "none":
        for field in _BRACES.findall(text.subject + text.text):
            if field in _OF_OTHERS:
                raise ValueError(
                    f"{{{field}}}: a list without sub-addresses has no such address; what is "
                    "written to it goes to everybody"
                )


@lru_cache(maxsize=4096)
def read(name: str, typed: str) -> Text:
    """The same as a text, whatever the form of addresses. Raises ValueError."""
    subject, body = _parted(typed)
    if not body.strip():
        raise ValueError("there is no text; `postroad template reset` brings back ours")
    for what, said, most in (("Subject", subject, SUBJECT), ("text", body, TEXT)):
        if len(said) > most:
            raise ValueError(f"the {what} has {len(said):,} characters; it takes {most:,}")
    if not f"{subject}{body}".replace("\n", "").isprintable():
        raise ValueError("it must be text without control characters")
    if theirs := mailman.FIELD.search(f"{subject}\n{body}"):
        raise ValueError(f"{theirs[0]} is Mailman's; here it is {mailman.field(theirs)}")
    _check_closed(name, f"{subject}\n{body}")
    _check_fields(name, _BRACES.findall(subject), _BRACES.findall(body))
    return replace(texts()[name], subject=subject, text=body, none="")


def _check_closed(name: str, said: str) -> None:
    """Raise ValueError where a field would be read as it stands, for a brace or for blanks."""
    found = re.search(_OPENED % "|".join(placeholders(name)), _BRACES.sub("", said))
    if found:
        why = "is no field" if found[0].endswith("}") else "has no closing brace"
        raise ValueError(f"{found[0]} {why}; write {_braced(found[0].strip('{ }'))}")


def _check_fields(name: str, above: Sequence[str], below: Sequence[str]) -> None:
    """Raise ValueError where the Subject or the text has a field that is not for it, or a field is
    missing that there must be."""
    allowed, needs = placeholders(name), texts()[name].needs
    for field in (*above, *below):
        if field not in allowed:
            near = (
                _nearest(field, allowed, "{}") or f"; there are {', '.join(map(_braced, allowed))}"
            )
            raise ValueError(f"there is no {_braced(field)} in the letter {name}{near}")
    for field in above:
        if field in _ON_LINES:
            raise ValueError(f"{_braced(field)} cannot stand in a Subject; put it into the text")
    if needs and not set(needs) & set(below):
        either = " or ".join(map(_braced, needs))
        raise ValueError(f"the letter {name} needs {either}: {WHY[needs[0]]}")


def typed(text: Text, body: str) -> str:
    """A text as somebody would type it; `body` is its text, wrapped."""
    return f"Subject: {text.subject}\n\n{body}" if text.subject else body


def _parted(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n")
    match = _HEAD.fullmatch(first)
    if match is None:
        return "", text
    if rest.partition("\n")[0].strip():
        raise ValueError("behind the line Subject there must be an empty line, and then the text")
    return match[1].strip(), rest.strip("\n")


def _nearest(word: str, known: Iterable[str], around: str = "''") -> str:
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {around[0]}{near[0]}{around[1]}?" if near else ""


def _braced(field: str) -> str:
    return f"{{{field}}}"
