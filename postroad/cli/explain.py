"""`postroad explain`: whether somebody got a post, and why, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import print_table, print_wrapped, short, whole

if TYPE_CHECKING:
    from postroad.cli.evidence import Evidence
    from postroad.cli.explanation import Explanation

explain = typer.Typer()


@command(explain, "explain", example="postroad explain 0199d2c64d30 ann@example.net")
async def tell(
    call: Call,
    post: Annotated[
        str, typer.Argument(metavar="POST", help="Its id, the first digits of it, or a Message-ID.")
    ],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Any address of the person.")],
) -> None:
    """Who got it, who did not, and why: one post and one person.

    Says since when they were on the list, how, and what they had chosen; what was decided on the
    mail; when their copy was queued and sent, what the relay said, and what came back; or why no
    copy was for them. Of a mail to several lists each is told apart.

    The exit code is 0 whatever the answer is, and 1 where nothing is known of such a mail.
    """
    from postroad.cli.explanation import explain as explained
    from postroad.cli.gathering import gather

    _, opens, behind = address.rpartition("<")  # as mail programs copy it: "Ann" <ann@example.net>
    known = await gather(call.config, post, behind.partition(">")[0] if opens else address)
    found = explained(known)
    mail = known.post
    answer = {
        "post": mail,
        "address": known.address,
        "outcome": found.outcome,
        "why": found.why,
        "lists": whole(found.lists),
        "steps": whole(found.steps),
        "subject": known.subject,
        "message_id": known.message_id,
        "person": known.person,
    }
    call.show(answer, lambda: _print(known, found))


def _print(known: Evidence, found: Explanation) -> None:
    facts = (
        ("post", short(known.post)),
        ("subject", known.subject),
        ("message-id", known.message_id),
        ("address", known.address),
        ("outcome", found.outcome.replace("_", " ")),
    )
    print_table(("", ""), [fact for fact in facts if fact[1]], whole=1)
    lists = found.lists if known.person else ()
    for each in lists:
        apart = f"{each.outcome.replace('_', ' ')}: " if len(found.lists) > 1 else ""
        print_wrapped(f"{each.list}: {apart}{each.why}" if each.list else each.why)
    if not lists:
        print_wrapped(found.why)
    steps = [step for step in found.steps if step.at is not None]
    several = len({step.list for step in steps if step.list}) > 1
    if steps:
        print()
        print_table(
            ("UTC", "what"),
            (
                (
                    f"{step.at:%Y-%m-%d %H:%M:%S}",
                    f"{step.list}: {step.what}" if several and step.list else step.what,
                )
                for step in steps
            ),
            whole=1,
        )
    for step in found.steps:
        if step.step == "hint":
            print()
            print_wrapped(step.what)
