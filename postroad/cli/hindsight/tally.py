"""How many mails differ, and how: what stands below the table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from postroad.cli.hindsight.differing import Judged


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Mails that went one way, by one rule, and would go another."""

    then: str
    then_rule: str
    now: str
    now_rule: str
    mails: int
    copies: int  # more of them, or fewer, in all


class Tally:
    """Counts as mails are judged."""

    def __init__(self) -> None:
        self.mails = 0
        self.same = 0
        self.gone = 0
        self.undecided = 0
        self.unjudged = 0
        self.kinds: Counter[str] = Counter()
        self.posts, self.copies = 0, 0  # that `replay` would send
        self.kept: Counter[str] = Counter()
        self._changes: Counter[tuple[str, str, str, str]] = Counter()
        self._copies: Counter[tuple[str, str, str, str]] = Counter()

    def take(self, judged: Judged) -> None:
        """Count one mail at one list."""
        self.mails += 1
        if not judged.differs:
            self.same += 1
            return
        self.kinds.update(judged.differs)
        then, now = judged.then, judged.now
        if judged.send:
            self.posts += judged.send == "post"
            self.copies += (now.copies or 0) if judged.send == "post" else len(judged.more)
        elif judged.kept:
            self.kept[judged.kept] += 1
        if "verdict" in judged.differs or "rule" in judged.differs:
            key = (then.outcome, then.rule, now.outcome, now.rule)
            self._changes[key] += 1
            self._copies[key] += (now.copies or 0) - (then.copies or 0)

    @property
    def differ(self) -> int:
        """Mails that would be decided on otherwise, in anything."""
        return self.mails - self.same

    def changes(self) -> tuple[Change, ...]:
        """By outcome and rule, the most frequent first."""
        found = sorted(self._changes.items(), key=lambda each: (-each[1], each[0]))
        return tuple(
            Change(
                then=key[0],
                then_rule=key[1],
                now=key[2],
                now_rule=key[3],
                mails=count,
                copies=self._copies[key],
            )
            for key, count in found
        )

    def plain(self) -> Mapping[str, object]:
        """For programs."""
        return {
            "mails": self.mails,
            "same": self.same,
            "differ": self.differ,
            "kinds": dict(self.kinds),
            "changes": self.changes(),
            "gone": self.gone,
            "undecided": self.undecided,
            "unjudged": self.unjudged,
            "posts": self.posts,
            "copies": self.copies,
            "kept": dict(self.kept),
        }
