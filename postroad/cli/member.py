"""`postroad member`: who is on a list, in which role, and how they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import away_words, complain, whole
from postroad.runtime.errors import UsageError
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role

if TYPE_CHECKING:
    from schemas.commands import Answer, ChangeMember, Subscribe, Unsubscribe
    from schemas.mass import MassAction

    One = Subscribe | Unsubscribe | ChangeMember

ASKED = "asked"  # by mail; they are on the list once they reply
DIGESTS = ("plaintext_digests", "mime_digests", "summary_digests")  # as Mailman names them
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "delivery_mode": get_args(DeliveryMode),
    "delivery_status": get_args(DeliveryStatus),
    "moderation_action": get_args(Moderation),
    "receive_own_postings": ("true", "false"),
    "receive_list_copy": ("true", "false"),
    "preferred_language": (),  # membership knows those there are
}

member = group("member", "Who is on a list.", example="postroad member ls staff@lists.example.org")
List = Annotated[str, typer.Argument(metavar="LIST", help="The list's address.")]
Addresses = Annotated[list[str] | None, typer.Argument(metavar="ADDRESS", help="Whom.")]
Whose = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="CSV, or one address a line; - reads stdin."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", metavar="", help="Only say what would be done.")]
Again = Annotated[
    bool, typer.Option("--again", metavar="", help="Also who left, or was removed, since.")
]
Reason = Annotated[
    str, typer.Option(metavar="WORDS", help="Why. Kept for ever: no names, no addresses.")
]
InRole = Annotated[Role, typer.Option(help="In which role.")]


@command(
    member, "add", example="postroad member add staff@lists.example.org ann@example.net --confirmed"
)
async def add(  # noqa: PLR0917  options of a command
    call: Call,
    list_: List,
    addresses: Addresses = None,
    role: InRole = "member",
    name: Annotated[str, typer.Option(help="Display name, for one address.")] = "",
    file: Whose = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", metavar="", help="They have agreed already.")
    ] = False,
    invite: Annotated[
        bool, typer.Option("--invite", metavar="", help="Ask them by mail, as without --confirmed.")
    ] = False,
    welcome: Annotated[
        bool, typer.Option("--welcome", metavar="", help="With --confirmed: tell them by mail.")
    ] = False,
    again: Again = False,
    moderation: Annotated[Moderation, typer.Option(help="With --role nonmember: of posts.")] = "",
) -> int:
    """Put people onto a list.

    Nobody is subscribed without agreeing: they are invited by mail, and are on the list once they
    reply, also where owners decide who joins; --invite says the same. --confirmed says that they
    have agreed already; they hear nothing of it then, unless with --welcome. Whoever is on the list
    already stays as they are. Who left since, or was removed, is not put back by a --file unless
    with --again. A nonmember is a stranger whose posts have a --moderation of their own.
    """
    if role == "nonmember":
        from postroad.cli.nonmembers import decide_on

        return await decide_on(call, list_, addresses, name, moderation, welcome or invite or file)
    if moderation:
        raise UsageError("--moderation goes with --role nonmember; for others use `member set`")
    from schemas.commands import Subscribe

    if name and (file or len(addresses or ()) > 1):
        raise UsageError("--name is for one address; use `postroad member import` for many")
    if invite and confirmed:
        raise UsageError("--invite asks them by mail, --confirmed does not; give one of the two")
    if file and confirmed and not welcome:
        return await mass_change(call, list_, file, addresses, action="add", role=role, back=again)
    if welcome and not confirmed:
        raise UsageError(
            "--welcome goes with --confirmed; whoever is asked by mail is welcomed on joining"
        )
    if welcome and role != "member":
        complain(f"--welcome does nothing with --role {role}")
    if file and not addresses:
        from postroad.cli.inviting import write_to

        return await write_to(call, list_, file, role=role, confirmed=confirmed, welcome=welcome)
    requests = [
        Subscribe(
            list=list_,
            address=address,
            display_name=name,
            role=role,
            confirmed=confirmed,
            welcome=welcome,
        )
        for address in whom(addresses, file)
    ]
    done = "added" if confirmed else ASKED
    return await _each(call, "subscribe", requests, done=done, already="there already", role=role)


@command(member, "remove", example="postroad member remove staff@lists.example.org ann@example.net")
async def remove(
    call: Call,
    list_: List,
    addresses: Addresses = None,
    role: InRole = "member",
    file: Whose = None,
    dry_run: DryRun = False,
    reason: Annotated[
        str, typer.Option(metavar="WORDS", help="Why, not with --file. Kept for ever: no names.")
    ] = "",
) -> int:
    """Take people off a list, or take a role from them."""
    from schemas.commands import Unsubscribe

    if file and reason:
        raise UsageError("--reason goes with addresses, not with --file")
    if file:
        return await mass_change(
            call, list_, file, addresses, action="remove", role=role, dry=dry_run
        )
    if dry_run:
        raise UsageError("--dry-run goes with --file")
    requests = [
        Unsubscribe(list=list_, address=address, role=role, reason=reason)
        for address in whom(addresses)
    ]
    return await _each(
        call, "unsubscribe", requests, done="removed", already="not there", role=role
    )


@command(
    member,
    "set",
    example="postroad member set staff@lists.example.org ann@example.net delivery_mode=none",
)
async def set_(
    call: Call,
    list_: List,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose options.")],
    options: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=", ".join(OPTIONS))],
    reason: Reason = "",
) -> int:
    """Change how somebody reads or posts.

    delivery_mode is regular or none; delivery_status is enabled, by_user, by_bounces or
    by_moderator; moderation_action is defer, accept, hold, reject, discard or empty.
    receive_own_postings says whether authors get what they write to the list themselves,
    receive_list_copy whether somebody gets a copy of what names them in To or Cc; both are true
    or false. preferred_language is that of letters to them, empty for the list's.
    """
    change = msgspec.structs.replace(change_of(list_, address, options), reason=reason)
    return await _each(call, "member_set", [change], done="changed", already="set so already")


@command(member, "ls", example="postroad member ls staff@lists.example.org --at 2026-10-01T12:00")
async def ls(
    call: Call,
    list_: List,
    role: InRole = "member",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="As it was then; a date is its beginning.")
    ] = "",
    post: Annotated[
        str, typer.Option("--post", metavar="ID", help="To whom this post was fanned out.")
    ] = "",
    left_out: Annotated[
        bool,
        typer.Option("--left-out", metavar="", help="With --post: the other members, and why."),
    ] = False,
) -> None:
    """Who is on a list, in order of address.

    With --at or --post who was on it, under the addresses of today: of more than 20,000 each
    20,000 are in order. A time without Z or an offset is of this machine's zone; what was stored
    before that moment counts.
    """
    from postroad.cli import past
    from postroad.cli.memberrows import print_members, roster
    from postroad.cli.road import road

    if (at and post) or (left_out and not post) or (post and role != "member"):
        raise UsageError("give --at TIME, or --post ID and perhaps --left-out, without --role")
    if at:
        await past.show_at(call, list_, role, at)
    elif post:
        await past.show_post(call, list_, post, left_out=left_out)
    else:
        async with road(call.config) as broker:
            rows = [row async for row in roster(broker, list_, role)]
        call.show(whole(rows), lambda: print_members(rows))


@command(member, "bounces", example="postroad member bounces staff@lists.example.org")
async def bounces(
    call: Call,
    list_: List,
    address: Annotated[str, typer.Argument(metavar="[ADDRESS]", help="Whose; else all.")] = "",
) -> None:
    """Whose mail comes back, and why.

    Who has a score or is stopped, with their last bounce; of one address every bounce that was
    kept: its class, its points, what the server said and which mail did not arrive.
    """
    from postroad.cli.ask import ask
    from postroad.cli.bounces import show
    from postroad.cli.road import road
    from schemas.commands import MemberBounces

    async with road(call.config) as broker:
        answer = await ask(broker, "member_bounces", MemberBounces(list=list_, address=address))
    call.show(whole(answer.bounces), lambda: show(answer.bounces, one=bool(address)))


@command(
    member, "history", example="postroad member history staff@lists.example.org ann@example.net"
)
async def history(
    call: Call,
    list_: List,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose.")],
) -> None:
    """What happened to somebody on a list: when, what, by whom and why.

    Read from the log itself, which forgets nothing; of somebody who was erased it no longer says
    who it was.
    """
    from postroad.cli.history import show_member

    await show_member(call, list_, address)


@command(member, "consent", example="postroad member consent ann@example.net --json")
async def consent(
    call: Call,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose.")],
) -> None:
    """The evidence that somebody wanted to be on their lists, also on those they have left.

    Each time says how, when and by whom. Of who answered a question by mail, also the mails that
    asked and answered, by id, the name of the words they were asked in and a digest of these, and
    the MAC of the token.
    """
    from postroad.cli.history import show_consent

    await show_consent(call, address)


def whom(addresses: Sequence[str] | None, file: Path | None = None) -> Sequence[str]:
    """Addresses as typed. Raises UsageError where there are none, or a file as well."""
    if file or not addresses:
        raise UsageError("name addresses, or a file of them with --file")
    return addresses


async def mass_change(
    call: Call,
    list_: str,
    file: Path,
    addresses: Sequence[str] | None = None,
    *,
    action: MassAction,
    role: Role = "member",
    how: str = "command line",
    back: bool = False,
    plain: bool = True,
    dry: bool = False,
) -> int:
    """Add or remove the people of a file; `role` is for lines that tell none."""
    from postroad.cli import mass
    from postroad.cli.ask import ask
    from postroad.cli.progress import progress
    from postroad.cli.road import road
    from schemas.commands import ShowList
    from schemas.mass import ImportMembers

    if addresses:
        raise UsageError("name addresses, or a file of them with --file")
    rows, lines = mass.read(file, plain=plain, role=role)
    async with road(call.config) as broker:
        await ask(broker, "list_show", ShowList(list=list_))  # nothing begins where there is none
        command_id = "" if dry else mass.begin(list_)
        request = ImportMembers(
            list=list_, rows=(), action=action, how=how, back=back, command=command_id, dry=dry
        )
        with progress("importing" if action == "add" else "removing", lines) as reached:
            outcome = await mass.send(broker, request, rows, reached)
    done, already = ("added", "present") if action == "add" else ("removed", "absent")
    report = {
        done: outcome.changed,
        already: outcome.same,
        "away": [{"line": line, "reason": reason} for line, reason in outcome.away],
        "bad": [{"line": line, "reason": reason} for line, reason in outcome.bad],
        "command": command_id,
        "dry_run": dry,
    }
    words = f"{done} {outcome.changed}, {'there already' if action == 'add' else 'not there'} "
    words += f"{outcome.same}, bad {len(outcome.bad)}{away_words(outcome.away)}"
    call.show(report, lambda: print(f"would have {words}" if dry else words))
    if not call.json:
        mass.complain_of(outcome.bad)
        mass.tell_away(outcome.away)
    return 1 if outcome.bad else 0


def change_of(list_: str, address: str, options: Sequence[str]) -> ChangeMember:
    """The change that `key=value` words ask for. Raises UsageError naming what is allowed."""
    from postroad.cli.ask import pairs
    from schemas.commands import ChangeMember

    typed = pairs(options, example="delivery_mode=none")
    for key, value in typed.items():
        if key not in OPTIONS:
            raise UsageError(f"there is no member option {key!r}; there are {', '.join(OPTIONS)}")
        if key == "delivery_mode" and value in DIGESTS:
            raise UsageError(
                f"{key}={value}: there are no digests yet; use regular (each mail) or none"
            )
        if OPTIONS[key] and value not in OPTIONS[key]:
            allowed = ", ".join(word or "(empty)" for word in OPTIONS[key])
            raise UsageError(f"{key}={value}: must be one of {allowed}")
    wanted = {"list": list_, "address": address, **typed}
    return msgspec.convert(wanted, ChangeMember, strict=False)


async def _each(
    call: Call,
    name: str,
    requests: Sequence[One],
    *,
    done: str,
    already: str,
    role: Role = "member",
) -> int:
    """Ask for each address; refusals do not stop the others, and make the exit code 1."""
    from postroad.cli.ask import attempt, refusal
    from postroad.cli.road import road

    async with road(call.config) as broker:
        answers = [(request.address, await attempt(broker, name, request)) for request in requests]
    if len(answers) == 1 and answers[0][1].refused:
        raise refusal(_naming(*answers[0]))
    report = [
        {
            "address": address,
            "changed": bool(answer.changed) and done != ASKED,
            **({"asked": bool(answer.changed)} if done == ASKED else {}),
            "refused": answer.refused,
        }
        for address, answer in answers
    ]
    as_role = f" as {role}" if role != "member" else ""
    good = [(address, answer) for address, answer in answers if not answer.refused]
    call.show(
        report,
        lambda: print(
            "\n".join(
                f"{address}: {done if one.changed else already}{as_role}" for address, one in good
            )
        ),
    )
    for address, answer in answers:
        if answer.refused and not call.json:
            complain(_naming(address, answer).refused)
    return 1 if len(good) < len(answers) else 0


def _naming(address: str, answer: Answer) -> Answer:
    """A refusal that names whom it is about."""
    if address in answer.refused:
        return answer
    return msgspec.structs.replace(answer, refused=f"{address}: {answer.refused}")
