"""What would go out today and did not, goes out: after a question, once, whoever asks how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import typer

from postroad.cli.consent import can_ask
from postroad.cli.frame import Call
from postroad.cli.hindsight import page
from postroad.cli.hindsight.differing import Judged
from postroad.cli.hindsight.looking import THEN_NOW, Question, judged, plain, prepared
from postroad.cli.hindsight.past import Oracle
from postroad.cli.output import complain, counted, short
from postroad.cli.progress import progress
from postroad.cli.road import road
from schemas.hindsight import Done, LetThrough, MissingCopies, Stopped

TOGETHER = 50  # mails that are let through in one question
SHOWN = 20  # of those left alone, for one reason


async def replayed(call: Call, question: Question, *, yes: bool) -> int:
    """Print what would differ, ask, and send that; the exit code. Raises PostroadError."""
    async with road(call.config) as broker:
        oracle = Oracle(broker)
        judging, proposed = await prepared(broker, call.config, oracle, question)
        found = await judged(judging, question)
        differing = [each for each in found if each.send]
        missing = await _missing(oracle, [each for each in differing if each.send == "copies"])
        posts = [each for each in differing if each.send == "post"]
        if not call.json:
            page.show(found, judging, sides=THEN_NOW, sends=True)
        copies = sum(each.now.copies or 0 for each in posts) + sum(
            len(done.missing) for _, done in missing
        )
        going = f"{counted(len(posts), 'post')}, {counted(copies, 'copy', 'copies')} at most"
        asks = can_ask(call)
        anything = bool(posts or copies)
        sent = _Sent()
        if anything and (yes or (asks and _agreed(going))):
            await _send(oracle, posts, [each for each, _ in missing], sent)
    answer = {**plain(judging, found, proposed), "sent": sent.plain()}
    call.show(answer, lambda: print(sent.told(going) if anything else "there is nothing to send"))
    for line in sent.left():
        complain(line)
    if anything and not (yes or asks):
        complain("add --yes to have them sent: nobody can be asked here")
        return 2
    return 0


class _Sent:
    """What was done."""

    def __init__(self) -> None:
        self.posts, self.copies = 0, 0
        self.kept: list[tuple[str, str]] = []

    def plain(self) -> dict[str, object]:
        """For programs."""
        return {"posts": self.posts, "copies": self.copies, "left": self.kept}

    def told(self, going: str) -> str:
        """For people."""
        if not (self.posts or self.copies):
            return f"nothing was sent by this call, of {going}"
        return (
            f"let {counted(self.posts, 'post')} through, and queued "
            f"{counted(self.copies, 'missing copy', 'missing copies')}; `postroad post ls` shows "
            "what becomes of them"
        )

    def left(self) -> Iterator[str]:
        """Why some were not sent."""
        for why, count in Counter(why for _, why in self.kept).most_common():
            mails = [short(mail) for mail, said in self.kept if said == why]
            more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
            yield f"left alone, {why}: {', '.join(mails[:SHOWN])}{more}"


def _agreed(going: str) -> bool:
    answer: str = typer.prompt(f"Send {going}? Type yes", default="", show_default=False)
    return answer.strip().lower() == "yes"


async def _missing(oracle: Oracle, some: Sequence[Judged]) -> list[tuple[Judged, Done]]:
    found = []
    for each in some:
        ask = MissingCopies(list=each.slug, mail_id=each.mail)
        done = await oracle.ask("missing", ask, Done)
        if done.missing:
            found.append((each, done))
    return found


async def _send(
    oracle: Oracle, posts: Sequence[Judged], others: Sequence[Judged], sent: _Sent
) -> None:
    with progress("sending", len(posts) + len(others)) as reached:
        for start in range(0, len(posts), TOGETHER):
            some = posts[start : start + TOGETHER]
            mails = tuple(
                Stopped(mail_id=each.mail, decided=each.decided, as_of=each.as_of) for each in some
            )
            done = await oracle.ask("let_through", LetThrough(list=some[0].slug, mails=mails), Done)
            sent.posts += len(done.done)
            sent.kept += done.left_alone
            reached(start + len(some), len(posts) + len(others))
        for count, each in enumerate(others, len(posts) + 1):
            ask = MissingCopies(list=each.slug, mail_id=each.mail, go=True)
            done = await oracle.ask("missing", ask, Done)
            sent.copies += done.queued
            sent.kept += done.left_alone
            reached(count, len(posts) + len(others))
