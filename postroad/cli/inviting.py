"""The people of a file asked, or welcomed, by mail: one by one, as `member add` does with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from postroad.cli import mass
from postroad.cli.ask import ask, attempt
from postroad.cli.frame import Call
from postroad.cli.output import counted
from postroad.cli.people import BadLine
from postroad.cli.progress import progress
from postroad.cli.road import road
from schemas.commands import ShowList, Subscribe
from schemas.membership import Role


async def write_to(
    call: Call, list_: str, file: Path, *, role: Role, confirmed: bool, welcome: bool
) -> int:
    """Have each of a file asked; or, `confirmed`, added and welcomed. Wrong lines are named by
    number, and whoever was asked in the last 24 hours is counted."""
    rows, lines = mass.read(file, plain=True, role=role)
    done, same, lately = 0, 0, 0
    bad: list[BadLine] = []
    async with road(call.config) as broker:
        await ask(broker, "list_show", ShowList(list=list_))
        with progress("adding" if confirmed else "asking", lines) as reached:
            for row in rows:
                if isinstance(row, tuple):
                    bad.append(row)
                    continue
                request = Subscribe(
                    list=list_,
                    address=row.address,
                    display_name=row.display_name,
                    role=row.role,
                    delivery_mode=row.delivery_mode or "regular",
                    confirmed=confirmed,
                    welcome=welcome,
                )
                answer = await attempt(broker, "subscribe", request)
                if answer.code == "limited":
                    lately += 1
                elif answer.refused:
                    bad.append((row.line, answer.refused))
                else:
                    done += bool(answer.changed)
                    same += not answer.changed
                reached(row.line)
    _tell(call, "added" if confirmed else "asked", done, same, lately, bad)
    return 1 if bad else 0


def _tell(call: Call, word: str, done: int, same: int, lately: int, bad: Sequence[BadLine]) -> None:
    report = {
        word: done,
        "present": same,
        "asked_lately": lately,
        "bad": [{"line": line, "reason": reason} for line, reason in bad],
    }
    words = f"{word} {done:,}, there already {same:,}, bad {len(bad):,}"
    if lately:
        words += f"; {counted(lately, 'address was', 'addresses were')} asked in the last 24 hours"
    call.show(report, lambda: print(words))
    if not call.json:
        mass.complain_of(bad)
