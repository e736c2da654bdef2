"""What was found, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postroad.cli.hindsight.differing import Judged, Side
from postroad.cli.hindsight.judging import Judging
from postroad.cli.hindsight.tally import Tally
from postroad.cli.output import counted, print_table, print_wrapped, short

SUBJECT = 24  # characters
ROWS = 50  # mails that are shown one by one; all of them with --json
WORDS = {
    "verdict": "another verdict",
    "rule": "the same by another rule",
    "audience": "other recipients",
    "headers": "another header",
    "text": "another text",
}


def show(
    found: Sequence[Judged], judging: Judging, *, sides: tuple[str, str], sends: bool = False
) -> None:
    """The mails, then how many differ and how; `sides` are what the two are called. Where it
    `sends`, also what is not sent, and why."""
    left, right = sides
    if found:
        rows = [_row(judged) for judged in found[:ROWS]]
        print_table(("id", "subject", left, right, "differs in"), rows, whole=1)
        if len(found) > ROWS:
            print(f"and {len(found) - ROWS:,} more; --json tells all of them")
        print()
    tally = judging.tally
    print(f"{counted(tally.mails, 'mail')}: {tally.same:,} the same, {tally.differ:,} different")
    for line in _summary(tally):
        print(f"  {line}")
    if tally.changes():
        print()
        rows = [
            (
                f"{each.mails:,}",
                _by(each.then, each.then_rule),
                _by(each.now, each.now_rule),
                f"{each.copies:+,}" if each.copies else "",
            )
            for each in tally.changes()
        ]
        print_table(("mails", left, right, "copies"), rows)
    for line in _lacking(judging):
        print_wrapped(f"Note: {line}.")
    for why, count in sorted(tally.kept.items() if sends else ()):
        print_wrapped(f"Note: of {counted(count, 'mail')} nothing is sent: {why}.")


def details(judged: Judged) -> Iterator[str]:
    """In what one mail differs, in lines."""
    for each in judged.fields:
        yield f"{each.name}: {each.then or '(as it came)'} -> {each.now or '(as it came)'}"
    if judged.text:
        yield f"text: {judged.text}"
    if judged.more:
        yield f"more: {', '.join(judged.more)}"
    if judged.fewer:
        yield f"fewer: {', '.join(judged.fewer)}"


def _row(judged: Judged) -> tuple[str, ...]:
    told = [*details(judged)] or [WORDS[kind] for kind in judged.differs]
    if "verdict" in judged.differs and judged.now.reason:
        told.insert(0, judged.now.reason)
    subject = judged.subject if len(judged.subject) <= SUBJECT else f"{judged.subject[:SUBJECT]}..."
    what = "; ".join(told) if judged.differs else "nothing"
    return short(judged.mail), subject, _told(judged.then), _told(judged.now), what


def _told(side: Side) -> str:
    copies = f", {counted(side.copies, 'copy', 'copies')}" if side.copies else ""
    return f"{_by(side.outcome, side.rule)}{copies}"


def _by(outcome: str, rule: str) -> str:
    return f"{outcome} ({rule})" if rule and rule != "truth" else outcome


def _summary(tally: Tally) -> Iterator[str]:
    for kind, words in WORDS.items():
        if count := tally.kinds[kind]:
            yield f"{count:,} {words}"


def _lacking(judging: Judging) -> Iterator[str]:
    tally = judging.tally
    yield from judging.notes()
    if judging.already:
        mails = counted(judging.already, "mail")
        yield (
            f"{mails} would be decided otherwise today even without this change: "
            "`postroad replay --dry-run` says how"
        )
    if tally.gone:
        yield f"{counted(tally.gone, 'mail')} cannot be judged: the mail itself is gone"
    if tally.undecided:
        yield f"{counted(tally.undecided, 'mail')} wait for the router, and are left to it"
    if tally.unjudged:
        yield f"{counted(tally.unjudged, 'mail')} could not be judged; try again"
