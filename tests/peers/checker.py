"""The independent checker: accepted posts against the sinks' records.

Reads only what the sinks wrote and what the test knows it posted; pure functions. A copy is one
recipient of one accepted transaction.

    report = check(records.read(*files), [Post("<1@x>", frozenset({"ann@example.org"}))])
    assert not report.lost, report
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.peers.records import Record

Copy = tuple[str, str, str]  # Message-ID, List-Id ("" where the post does not name one), recipient


@dataclass(frozen=True)
class Post:
    """A post that was accepted, and who must get it. One mail to two lists is two posts with
    the same `message_id` and each its own `list_id` (without angle brackets); leave it empty
    where the list does not matter. `body_sha256` is that of `Record`; empty: not compared."""

    message_id: str
    recipients: frozenset[str]
    list_id: str = ""
    body_sha256: str = ""


@dataclass(frozen=True)
class Report:
    """What the records say. `lost`: copies that never came. `duplicates`: copies that came more
    than once, with how many too many. `unexpected`: copies of no accepted post, or to nobody it
    was for, with their number. `altered`: copies whose body is not the post's."""

    expected: int
    delivered: int
    lost: tuple[Copy, ...]
    duplicates: dict[Copy, int]
    unexpected: dict[Copy, int]
    altered: tuple[Copy, ...]

    @property
    def extra(self) -> int:
        """How many copies were too many, of all posts together."""
        return sum(self.duplicates.values())

    @property
    def exact(self) -> bool:
        """Every copy once, unaltered, and nothing else."""
        return not (self.lost or self.duplicates or self.unexpected or self.altered)

    @property
    def counts(self) -> str:
        """It in numbers."""
        return (
            f"{self.delivered} of {self.expected} copies delivered, {len(self.lost)} lost, "
            f"{self.extra} too many, {sum(self.unexpected.values())} unexpected, "
            f"{len(self.altered)} altered"
        )

    def __str__(self) -> str:
        first = "; ".join(
            f"{name}: {list(found)[:5]}"
            for name in ("lost", "duplicates", "unexpected", "altered")
            if (found := getattr(self, name))
        )
        return self.counts + (f" ({first})" if first else "")


def check(records: Iterable[Record], posts: Iterable[Post]) -> Report:
    """Compare what was delivered with what was accepted. Recipients are compared without
    regard to case, Message-IDs as they stand in the header."""
    wanted: dict[Copy, str] = {}
    by_list: set[str] = set()
    for post in posts:
        if post.list_id:
            by_list.add(post.message_id)
        for recipient in post.recipients:
            wanted[post.message_id, post.list_id, recipient.lower()] = post.body_sha256
    came: Counter[Copy] = Counter()
    altered: dict[Copy, None] = {}
    for record in records:
        list_id = record.list_id if record.message_id in by_list else ""
        for recipient in record.recipients:
            copy = record.message_id, list_id, recipient.lower()
            came[copy] += 1
            if wanted.get(copy) not in (None, "", record.body_sha256):
                altered[copy] = None
    return Report(
        expected=len(wanted),
        delivered=sum(1 for copy in wanted if came[copy]),
        lost=tuple(copy for copy in wanted if not came[copy]),
        duplicates={copy: came[copy] - 1 for copy in wanted if came[copy] > 1},
        unexpected={copy: count for copy, count in came.items() if copy not in wanted},
        altered=tuple(altered),
    )
