"""What the sink is told to do wrong, and when.

A script is one JSON object; every key may be left out:

    extensions   EHLO keywords; without "PIPELINING" it is not offered. "SIZE n" is enforced
    discards     true: drops what came behind a command in the same segment, as a server does
                 that offers PIPELINING and does not keep its word
    split        true: every octet of a reply is a segment of its own
    lines        n: every reply has n lines
    delay        seconds before every reply
    users        {name: password}: offers AUTH PLAIN LOGIN and requires it before MAIL
    rules        a list of rules; of those that apply, the first one acts

A rule:

    at       connect ehlo starttls auth mail rcpt data body dot rset noop quit
             ("body": the first octets of the data have come; "dot": all of it)
    match    regular expression searched in the subject: the sender at mail, the recipient at
             rcpt, all recipients (separated by blanks) at data, body and dot, the name at ehlo
    per      "sink" (default), "connection" or "subject": what its hits are counted for
    after    it passes over this many hits, then acts
    times    it acts this often, then no more; left out: always
    reply    sent instead of the usual reply; "" for none: the client waits
    close    true: the connection is closed after the reply; without `reply` at once, silently
    record   at dot: whether the mail is recorded; usually when the reply is 2xx
    delay    seconds before this reply

So {"at": "rcpt", "match": "^bob@", "reply": "550 5.1.1 no"} refuses bob,
{"at": "rcpt", "per": "subject", "times": 1, "reply": "450 4.2.0 later"} is greylisting,
{"at": "mail", "per": "connection", "after": 10, "reply": "421 4.3.2 bye", "close": true} ends
every connection after ten transactions, {"at": "dot", "times": 1, "close": true, "record": true}
loses one reply to a mail that was taken, and the same without "record" loses the mail too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

EXTENSIONS = ("PIPELINING", "SIZE 41943040", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing to do wrong; the fields are those of the module's manual."""

    at: str
    match: str = ""
    per: str = "sink"
    after: int = 0
    times: int | None = None
    reply: str | None = None
    close: bool = False
    record: bool | None = None
    delay: float = 0.0

    def answer(self, usual: str) -> str:
        """What to reply where `usual` would have been said; "" for nothing."""
        if self.reply is not None:
            return self.reply
        return "" if self.close else usual


@dataclass(frozen=True, kw_only=True)
class Script:
    """A whole script; the fields are those of the module's manual."""

    extensions: tuple[str, ...] = EXTENSIONS
    discards: bool = False
    split: bool = False
    lines: int = 1
    delay: float = 0.0
    users: dict[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def to_json(self) -> str:
        """The script as the sink reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Read a script. Raises TypeError for an unknown key."""
        told: dict[str, Any] = json.loads(text)
        told["extensions"] = tuple(told.get("extensions", EXTENSIONS))
        told["rules"] = tuple(Rule(**rule) for rule in told.get("rules", ()))
        return cls(**told)


class Hits:
    """Counts the hits of a script's rules and says which rule acts."""

    def __init__(self, script: Script) -> None:
        self._rules: dict[str, list[tuple[int, Rule, re.Pattern[str]]]] = {}
        for number, rule in enumerate(script.rules):
            entry = (number, rule, re.compile(rule.match, re.IGNORECASE))
            self._rules.setdefault(rule.at, []).append(entry)
        self._counts: Counter[tuple[int, object]] = Counter()

    def rule(self, at: str, subject: str, connection: int) -> Rule | None:
        """The rule that acts on this hit, if any."""
        acting: Rule | None = None
        for number, rule, pattern in self._rules.get(at, ()):
            if not pattern.search(subject):
                continue
            key = {"connection": connection, "subject": subject}.get(rule.per)
            self._counts[number, key] += 1
            turn = self._counts[number, key] - rule.after
            if acting is None and turn > 0 and (rule.times is None or turn <= rule.times):
                acting = rule
        return acting
