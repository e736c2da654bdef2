"""`postroad post`: which mails came, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.options import AtMost, OnlyList
from postroad.cli.output import counted, moment, print_table, print_wrapped, short
from postroad.mail.refusals import NUL
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from postroad.cli.decisions import Decision
    from postroad.cli.story import Fate, Story
    from postroad.cli.timeline import Teller
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

SHOWN_TROUBLES = 20
KEPT_NO_MORE = "a recipient whose name is kept no more"

post = group("post", "Mails and what became of them.", example="postroad post ls --limit 5")


def _flag(help_: str) -> Any:
    return typer.Option(metavar="", help=help_)


@command(post, "ls", example="postroad post ls --held --list staff@lists.example.org")
async def ls(
    call: Call,
    list_: OnlyList = "",
    limit: AtMost = 20,
    unrouted: Annotated[bool, _flag("Only mail for no list.")] = False,
    held: Annotated[bool, _flag("Only mail that was held, with what came of it since.")] = False,
    rejected: Annotated[bool, _flag("Only rejected mail.")] = False,
    discarded: Annotated[bool, _flag("Only discarded mail.")] = False,
    refused: Annotated[bool, _flag("Only mail left on its server: too large, or stale.")] = False,
) -> None:
    """The newest decisions on mail: posts, what was held, rejected or is for no list, and what
    came of commands.

    Mail that the router has yet to decide on is not shown; `postroad status` counts it. Held mail
    that still waits for a moderator is in `postroad held ls`.
    """
    from postroad.cli import decisions
    from postroad.cli.mails import list_addresses
    from postroad.cli.road import streams

    flags = {
        "unrouted": unrouted,
        "held": held,
        "rejected": rejected,
        "discarded": discarded,
        "refused": refused,
    }
    chosen = [kind for kind, wanted in flags.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"give one of {', '.join(f'--{kind}' for kind in chosen)}, not several")
    if list_ and (unrouted or refused):
        raise UsageError("--list does not go with mail that has no list")
    async with streams(call.config) as broker:
        addresses = await list_addresses(broker)
        if refused:
            rows = await decisions.refused(broker, limit)
        else:
            slug = slug_of(list_, addresses) if list_ else "*"
            kind = chosen[0] if chosen else "*"
            rows = await decisions.decided(broker, kind, slug, limit, addresses)
    ids = [row.id for row in rows]
    call.show(
        rows,
        lambda: print_table(
            ("UTC", "id", "kind", "list, author, subject, reason"),
            [_cells(row, ids) for row in rows],
            whole=3,
        ),
    )


@command(post, "show", example="postroad post show 0199d2c64d30")
async def show(
    call: Call,
    mail: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, the first digits of it, or a Message-ID.")
    ],
) -> None:
    """The timeline of one mail: received, routed, queued, delivered, and who has no copy."""
    from postroad.cli.mails import list_addresses, mail_id
    from postroad.cli.road import streams

    async with streams(call.config) as broker:
        addresses = await list_addresses(broker)
        story = await tell(broker, await mail_id(broker, mail), addresses, call.config)
    call.show(story, lambda: _print(story))


async def tell(broker: Broker, mail: str, addresses: dict[str, str], config: Config) -> Story:
    """The story of the mail with this id; `addresses` of lists by slug. Raises PostroadError
    where nothing is known of it."""
    from postroad.cli.largepost import LargePosts
    from postroad.cli.naming import name
    from postroad.cli.timeline import Teller

    teller, large = Teller(mail, addresses), LargePosts(mail)
    take = partial(_take, broker, teller)
    await take("RECEIVED", f"mail.received.*.{mail}")
    await take("ROUTED", f"mail.routed.*.*.{mail}")
    told = []
    for slug, fate in teller.fates.items():
        if fate.kind in ("post", "owner"):
            await take("ROUTED", f"mail.routed.bounce.{slug}.*", f'"about":"{mail}"'.encode())
        told += [*_letters_of(mail, slug, fate), *fate.notices]
    await large.look(broker, config, teller.fates)
    for slug, each in [*large.others(teller.fates), *(("*", letter) for letter in told)]:
        await take("DELIVERY", f"delivery.{slug}.{each}.*")
        await take("SEND", f"mail.send.*.{slug}.{each}.*")
    if large.others(teller.fates):
        await _wait(broker, mail, teller, config)
    story = teller.tell()
    large.lay(teller.fates, story)
    await name(broker, config, mail, teller.fates)
    if not story.timeline:
        raise PostroadError(f"there is no mail {mail}; `postroad post ls` shows the newest")
    return story


async def _take(
    broker: Broker, teller: Teller, stream: str, subject_filter: str, naming: bytes = b""
) -> None:
    """Tell of each event there, of messages in which these octets stand."""
    from schemas.codec import UnknownEvent

    async for stored in broker.scan(stream, subject_filter):
        if naming not in stored.data:
            continue
        try:
            message = stored.envelope()
        except UnknownEvent:  # of a newer release: the rest of the story stands
            continue
        for event in message.events:
            teller.take(stored.time, event, message.actor)


def _letters_of(mail: str, slug: str, fate: Fate) -> Iterator[str]:
    """The ids of the letters that its author may have got about a mail that did not go out."""
    from services.membership.letters.letter import notice_id

    if fate.kind in ("held", "rejected") or fate.verdict:
        yield notice_id(mail, slug, "post")
        yield notice_id(mail, slug, "verdict")


async def _wait(broker: Broker, mail: str, teller: Teller, config: Config) -> None:
    """Tell who waits, and for what."""
    from postroad.cli.waiting import chunks_that_wait

    if teller.owes():
        async for chunk, why, due in chunks_that_wait(broker, config, mail):
            teller.wait(chunk, why, due)


def _cells(row: Decision, ids: Sequence[str]) -> tuple[str, ...]:
    author = f"from {row.author}" if row.author else ""
    about = "\n".join(filter(None, (row.list, author, row.subject[:60], row.told)))
    return row.time[5:19].replace("T", " "), short(row.id, ids), row.kind, about


def slug_of(name: str, addresses: dict[str, str]) -> str:
    """The slug of a list given by address or slug. Of lists with one address, the newest."""
    slugs = [slug for slug, address in addresses.items() if address == name.strip().lower()]
    if slugs or name in addresses:
        return slugs[-1] if slugs else name
    raise PostroadError(f"there is no list {name}; `postroad list ls` shows them")


def _print(story: Story) -> None:
    facts = (
        ("mail", story.id),
        ("subject", story.subject),
        ("from", story.author),
        ("message-id", story.message_id),
    )
    print_table(("", ""), [fact for fact in facts if fact[1]], whole=1)
    print()
    if story.received is None and any(fate.kind for fate in story.lists):
        print("the mail itself is deleted, finished and old enough ([retention]); what is left:\n")
    print_timeline(story)
    for fate in story.lists:
        if fate.recipients or fate.bounces:
            print()
            _print_fate(fate)
        if fate.kind in ("held", "rejected") and not fate.notices:
            print(f"\n{fate.list}: no letter has gone to its author")
    failed = [each for fate in story.lists for each in fate.troubles if each.kind == "failed"]
    if any(each.text != NUL for each in failed):
        again = f"postroad retry {short(story.id)} --failed"
        print(f"\nto have failed copies sent once more: {again}")
    elif failed:
        print("\nno server takes a mail with a NUL octet: its author must send it anew, without")


def print_timeline(story: Story) -> None:
    """Print the steps of a mail, with the time since the first."""
    began = story.timeline[0].at
    print_table(
        ("after", "what"),
        ((f"{(line.at - began).total_seconds():.3f} s", line.what) for line in story.timeline),
    )


def _remarks(fate: Fate) -> Iterator[str]:
    """How long copies took, where a post stands among others of its list, and who may have two."""
    if fate.took:
        yield f"delivered: {fate.took.told}"
    if fate.parent:
        begun = "" if fate.thread == fate.parent else f", which began with {short(fate.thread)}"
        yield f"answers {short(fate.parent)}{begun}"
    elif fate.answers:
        yield f"came after its answers: {', '.join(short(each) for each in fate.answers)}"
    yield from _doubts(fate)


def _doubts(fate: Fate) -> Iterator[str]:
    """Who may have got it before, and what that means for them."""
    reason = "an answer was missing, before a crash or for too long"
    doubtful = [trouble for trouble in fate.troubles if trouble.doubtful]
    waiting = sum(trouble.kind == "deferred" for trouble in doubtful)
    if waiting:
        yield (
            f"{waiting:,} of those waiting may have it already, and would get it a second time "
            f"with the next try: {reason}"
        )
    if failed := len(doubtful) - waiting:
        yield f"{failed:,} of those failed may have it all the same: {reason}"
    if twice := fate.possible_duplicates - sum(trouble.doubtful for trouble in doubtful):
        if fate.waiting:
            reason = "an answer is awaited still, which may clear it, or a crash came before it"
        yield f"{twice:,} may have got it twice: {reason}"


def _print_fate(fate: Fate) -> None:
    print(
        f"{fate.list}: {counted(fate.recipients, 'recipient')}, {fate.accepted:,} accepted, "
        f"{fate.failed:,} failed, {fate.waiting:,} waiting"
        + (f", {fate.left:,} left before their copy" if fate.left else "")
    )
    for line in _remarks(fate):
        print_wrapped(line, "  ")
    for wait in fate.waits[:SHOWN_TROUBLES]:
        again = f"; tried again {moment(wait.next)}" if wait.next else ""
        print_wrapped(f"{wait.copies:,} waiting: {wait.why}{again}", "  ")
    failed = Counter(each.why for each in fate.troubles if each.kind == "failed" and each.why)
    for reason, count in failed.most_common():
        print_wrapped(f"{count:,} failed: {reason}", "  ")
    for trouble in fate.troubles[:SHOWN_TROUBLES]:
        reply = f"{trouble.code} {trouble.enhanced} {trouble.text}"
        if not trouble.code:  # nobody was asked
            reply = trouble.why or trouble.text
        whose = trouble.address or trouble.person or KEPT_NO_MORE
        print(f"  {trouble.kind} {whose}: {' '.join(reply.split())}")
    if len(fate.troubles) > SHOWN_TROUBLES:
        print(f"  and {len(fate.troubles) - SHOWN_TROUBLES} more (all of them: --json)")
    for bounce in fate.bounces[:SHOWN_TROUBLES]:
        untold = KEPT_NO_MORE if bounce.number >= 0 else "a recipient that it does not tell"
        whose = bounce.address or bounce.person or untold
        print(f"  came back {bounce.at:%Y-%m-%d %H:%M}: {whose}, bounce {short(bounce.mail)}")
    if len(fate.bounces) > SHOWN_TROUBLES:
        print(f"  and {len(fate.bounces) - SHOWN_TROUBLES} more bounces (all of them: --json)")
