"""One command about many people: its id, its rows on their way to membership, what came of it.

Every event of it has the id of the command, by which `member undo` finds them. Rows go in
portions, each all or nothing, and a portion whose answer is lost is asked again: membership or
the broker may die and come back in the middle. A command that was cut short is given again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from postroad.cli.ask import attempt, refusal
from postroad.cli.output import SHOWN, complain
from postroad.cli.people import BadLine, lines_of, people
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.errors import PostroadError, UsageError
from schemas.commands import Answer, Command
from schemas.mass import ImportMembers, ImportRow, UndoChange
from schemas.membership import Role

ROWS = 1000  # in one request; more are refused
OCTETS = 600_000  # of a request, about: the broker takes 1 MB
AT_ONCE = 3  # requests; while one is being stored, membership prepares the next
PATIENCE_SECONDS = 60.0  # for membership or the broker to come back
ANSWER_SECONDS = 5.0  # then a portion is asked again; it is never carried out twice


@dataclass
class Outcome:
    """What came of a command: `changed` people it was news for, the others were `same`."""

    changed: int = 0
    same: int = 0
    bad: list[BadLine] = field(default_factory=list)
    seen: int = 0  # as the last request of it found the members
    away: list[BadLine] = field(default_factory=list)  # who left, and is not put back


def begin(list_: str) -> str:
    """The id of a new command, told at once: whoever is cut short can still undo it."""
    command = new_id()
    complain(f"to undo this: postroad member undo {list_} {command}")
    return command


def read(
    file: Path, *, plain: bool, role: Role = "member"
) -> tuple[Iterator[ImportRow | BadLine], int]:
    """The people of a file, or of standard input for `-`, as `postroad.cli.people` has them, and
    how many lines it has. Raises UsageError, naming the file, where it cannot be read."""
    try:
        lines = lines_of(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
        return people(lines, plain=plain, role=role), len(lines)
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except UsageError as error:
        raise UsageError(f"{'standard input' if str(file) == '-' else file}: {error}") from None


async def send(
    broker: Broker,
    request: ImportMembers,
    people: Iterable[ImportRow | BadLine],
    reached: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Have membership carry out `request` for all these people; `reached` hears of each line that
    is done. Raises PostroadError where it cannot be carried on."""
    outcome = Outcome(seen=request.seen)
    twice: list[tuple[int, int]] = []
    rest = portions(people, outcome.bad, twice)
    at_once = 1 if request.seen else AT_ONCE  # nothing may pass the one that is refused
    while some := list(islice(rest, at_once)):
        _, more = some[-1]  # the last of all are answered once they are folded
        asked = [msgspec.structs.replace(request, rows=rows, more=more) for rows, _ in some]
        answers = await asyncio.gather(*(_answered(broker, one, outcome) for one in asked))
        for one, answer in zip(asked, answers, strict=True):
            outcome.changed += answer.changed
            outcome.same += _people(one, answer) - answer.changed
            outcome.bad.extend(answer.bad_rows)
            outcome.away.extend(answer.away_rows)
        request = msgspec.structs.replace(request, seen=answers[0].after)
        outcome.seen = request.seen
        reached(asked[-1].rows[-1].line)
    reasons, away = dict(outcome.bad), dict(outcome.away)
    for line, first in twice:
        if first in reasons:
            outcome.bad.append((line, reasons[first]))
        elif first not in away:
            outcome.same += 1
    outcome.bad.sort()
    outcome.away.sort()
    return outcome


def portions(
    people: Iterable[ImportRow | BadLine],
    bad: list[BadLine],
    twice: list[tuple[int, int]],
    size: int = ROWS,
) -> Iterator[tuple[tuple[ImportRow, ...], bool]]:
    """Rows in portions of at most `size`, each with whether more follow. Bad lines go to `bad`;
    lines that say the same of an address as an earlier one go to `twice`, with that line."""
    rows: list[ImportRow] = []
    octets = 0
    seen: dict[tuple[str, str], int] = {}
    for found in people:
        if isinstance(found, tuple):
            bad.append(found)
            continue
        first = seen.setdefault((found.address.lower(), found.role), found.line)
        if first != found.line:
            twice.append((found.line, first))
            continue
        if len(rows) == size or octets > OCTETS:
            yield tuple(rows), True
            rows.clear()
            octets = 0
        rows.append(found)
        octets += 100 + len(found.address.encode()) + len(found.display_name.encode())
    if rows:
        yield tuple(rows), False


def complain_of(bad: Sequence[BadLine]) -> None:
    """Name each bad line."""
    for line, reason in bad:
        complain(f"line {line}: {reason}")


def tell_away(away: Sequence[BadLine]) -> None:
    """Name some of them."""
    for line, why in away[:SHOWN]:
        complain(f"line {line}: stays away: {why}")
    if len(away) > SHOWN:
        complain(f"and {len(away) - SHOWN:,} more who stay away; --json names all")


def _people(asked: ImportMembers, answer: Answer) -> int:
    """How many people these rows are, less the bad ones and those who stay away: somebody in two
    roles is one."""
    bad = {line for line, _ in (*answer.bad_rows, *answer.away_rows)}
    return len({row.address.lower() for row in asked.rows if row.line not in bad})


async def _answered(broker: Broker, request: ImportMembers, outcome: Outcome) -> Answer:
    try:
        return await answered(broker, "import", request)
    except UsageError:
        raise
    except PostroadError as error:
        if not outcome.changed + outcome.same:
            raise
        raise PostroadError(
            f"{error} ({outcome.changed:,} were changed; give the command again for the rest)"
        ) from error


async def answered(broker: Broker, name: str, request: Command) -> Answer:
    """The answer to a request that may be asked twice. Raises PostroadError where membership
    refuses, or is not back in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        try:
            answer = await attempt(broker, name, request, seconds=ANSWER_SECONDS)
        except UsageError:
            raise
        except PostroadError:
            if loop.time() > deadline:
                raise
        else:
            if not answer.refused:
                return answer
            if answer.code != "unavailable" or loop.time() > deadline:
                raise refusal(answer)
        if isinstance(request, ImportMembers | UndoChange):
            request = msgspec.structs.replace(request, again=True)
