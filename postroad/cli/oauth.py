"""`postroad oauth`: log in at a provider once, so that services get their tokens by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import print_table, print_wrapped
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.runtime.config import Config
    from postroad.runtime.oauth.endpoint import Grant
    from postroad.runtime.oauth.store import Login, Store
    from postroad.runtime.settings import Relay, Source

PATIENCE = 600.0  # seconds for somebody to log in by browser
PASTE_PORT = 53_681  # nobody needs to listen there: the browser's address line is what counts

oauth = group(
    "oauth", "Logins at mail providers, instead of passwords.", example="postroad oauth ls"
)
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Of a source or relay; where both have it, source:NAME or relay:NAME."
    ),
]


class Account(msgspec.Struct):
    """One line of `ls`. Times are ISO 8601 in UTC, "" when there is none."""

    kind: str
    name: str
    provider: str
    flow: str
    since: str = ""
    renewed: str = ""
    ends: str = ""
    problem: str = ""


@command(oauth, "login", example="postroad oauth login gmail")
async def login(
    call: Call,
    name: Name,
    device: Annotated[
        bool, typer.Option("--device", help="Enter a code on any device.", metavar="")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open a page in a browser here.", metavar="")
    ] = False,
    paste: Annotated[
        bool,
        typer.Option(
            "--paste",
            help="Open a page in a browser elsewhere, and paste the address it ends at.",
            metavar="",
        ),
    ] = False,
) -> None:
    """Log in for a source or relay, and for all that share its account.

    Prints what to open, waits until somebody has logged in there, and stores the login under
    state_dir. A running Postroad sees it within seconds. With flow = "client_credentials" no person
    is needed: a token is fetched to prove that it works.
    """
    from postroad.runtime.oauth import login as logins
    from postroad.runtime.oauth.provider import identity
    from postroad.runtime.oauth.store import Store

    account = _account(call.config, name)
    if device + browser + paste > 1:
        raise UsageError("give one of --device, --browser and --paste")
    assert account.oauth2 is not None
    async with contextlib.AsyncExitStack() as stack:  # a browser hears whether all went well
        if account.oauth2.flow == "client_credentials":
            grant = await asyncio.to_thread(logins.alone, account)
        elif _by_device(account, device=device, other=browser or paste):
            grant = await _enter(account)
        else:
            grant = _paste(account) if paste else await _browse(account, stack)
        await asyncio.to_thread(logins.save, Store(call.config.site.state_dir), account, grant)
    sharing = [
        _told(other) for other in _accounts(call.config) if identity(other) == identity(account)
    ]
    call.show(
        {"accounts": sharing, "flow": account.oauth2.flow},
        lambda: print(
            f"There is a token for {' and '.join(sharing)}; services use it from now on."
        ),
    )


@command(oauth, "ls", example="postroad oauth ls --json")
def ls(call: Call) -> int:
    """Each source and relay with oauth2: since when it is logged in, its token, its problem.

    The exit code is 1 when one of them has a problem.
    """
    from postroad.runtime.oauth.store import Store

    store = Store(call.config.site.state_dir)
    found = [_line(store, account) for account in _accounts(call.config)]
    call.show(found, lambda: _print(found))
    return 1 if any(account.problem for account in found) else 0


def _print(found: Sequence[Account]) -> None:
    columns = ("", "name", "provider", "flow", "logged in (UTC)", "token until")
    rows = [(a.kind, a.name, a.provider, a.flow, _short(a.since), _short(a.ends)) for a in found]
    print_table(columns, rows, whole=len(columns))
    for account in found:
        if account.problem:
            print()
            print_wrapped(f"{account.kind} {account.name}: {account.problem}")


def _short(time: str) -> str:
    """ISO 8601 to the minute, as a person reads it."""
    return time[:16].replace("T", " ")


def _account(config: Config, name: str) -> Source | Relay:
    """The one that is meant. Raises UsageError."""
    from postroad.runtime.oauth.provider import identity
    from postroad.runtime.settings_reader import nearest

    named = [a for a in config.accounts if name in (a.name, f"{_kind(a)}:{a.name}")]
    if not named:
        known = {account.name for account in config.accounts}
        raise UsageError(f'there is no source or relay "{name}"{nearest(name, known)}')
    found = [account for account in named if account.oauth2 is not None]
    if not found:
        raise UsageError(f"{_told(named[0])} has no oauth2 in the settings: it needs no login")
    if len({identity(account) for account in found}) > 1:
        raise UsageError(
            f"a source and a relay have this name; write source:{name} or relay:{name}"
        )
    return found[0]


def _accounts(config: Config) -> list[Source | Relay]:
    return [account for account in config.accounts if account.oauth2 is not None]


def _kind(account: Source | Relay) -> str:
    return type(account).__name__.lower()


def _told(account: Source | Relay) -> str:
    return f"{_kind(account)} {account.name}"


def _by_device(account: Source | Relay, *, device: bool, other: bool) -> bool:
    """Whether a device code is the way; UsageError when the way that is wanted is closed."""
    from postroad.runtime.oauth.provider import provider, settings

    known = provider(settings(account))
    if device and not known.device_url:
        raise UsageError(
            f"{_told(account)}: no device_url, so there are no device codes (Google's are not for "
            "mail); leave --device out"
        )
    if other and not known.authorize_url:
        raise UsageError(f"{_told(account)}: no authorize_url is set; use --device")
    if not known.authorize_url and not known.device_url:
        raise UsageError(f"{_told(account)}: set authorize_url or device_url of oauth2 to log in")
    return device or (not other and (known.by_device or not known.authorize_url))


async def _enter(account: Source | Relay) -> Grant:
    """By device code: poll as often as the provider allows."""
    from postroad.runtime.oauth.login import Pending, by_device, polled

    found = await asyncio.to_thread(by_device, account)
    _say(f"Open {found.url} on any device and enter the code {found.code}")
    interval, trouble = found.interval, ""
    deadline = asyncio.get_running_loop().time() + found.seconds
    while asyncio.get_running_loop().time() + interval < deadline:
        await asyncio.sleep(interval)
        answer = await asyncio.to_thread(polled, account, found)
        if not isinstance(answer, Pending):
            return answer
        interval += answer.longer
        if answer.trouble and answer.trouble != trouble:
            left = max(1.0, (deadline - asyncio.get_running_loop().time()) / 60)
            _say(f"{answer.trouble}; asked again for as long as the code is good, {left:.0f} min")
        trouble = answer.trouble
    if trouble:
        raise PostroadError(f"{trouble}; the code has ended: run the command again")
    raise PostroadError("nobody entered the code in time; run the command again")


async def _browse(account: Source | Relay, stack: contextlib.AsyncExitStack) -> Grant:
    """By browser on this machine; `stack` keeps its last page open until all is done."""
    from postroad.runtime.oauth.login import by_browser, redeemed
    from postroad.runtime.oauth.loopback import Loopback

    loopback = await stack.enter_async_context(Loopback.opened())
    attempt = by_browser(account, loopback.port)
    _say(f"Open this page in a browser on this machine (elsewhere: --paste):\n{attempt.url}")
    try:
        async with asyncio.timeout(PATIENCE):
            target = await loopback.redirected(attempt.state)
    except TimeoutError:
        raise PostroadError("nobody logged in within 10 minutes; run it again") from None
    return await asyncio.to_thread(redeemed, account, attempt, target)


def _paste(account: Source | Relay) -> Grant:
    """By browser elsewhere: the address that it could not open holds the answer."""
    from postroad.runtime.oauth.login import by_browser, redeemed

    attempt = by_browser(account, PASTE_PORT)
    _say(f"Open this page in a browser:\n{attempt.url}")
    _say("It ends at a page that cannot be opened. Paste the address of that page here:")
    return redeemed(account, attempt, sys.stdin.readline().strip())


def _say(text: str) -> None:
    """What somebody has to do now; stdout is for the answer."""
    print(text, file=sys.stderr, flush=True)


def _line(store: Store, account: Source | Relay) -> Account:
    from postroad.runtime.oauth import lifetime
    from postroad.runtime.oauth.provider import identity, settings
    from postroad.runtime.oauth.refusals import Refusal, TokenError, refused, turned_down

    oauth2 = settings(account)
    told = Account(_kind(account), account.name, oauth2.provider, oauth2.flow)
    try:
        found = store.read(identity(account))
    except TokenError as error:
        told.problem = error.reason
        return told
    if found is None and oauth2.flow == "login":
        told.problem = refused(Refusal("no_login"), account).reason
    elif found is not None:
        _tell(told, found)
        if found.failure is not None:
            told.problem = refused(found.failure.refusal, account).reason
        elif found.turned_down >= lifetime.SUSPECT:
            told.problem = turned_down(account, lasting=True).reason
    return told


def _tell(told: Account, found: Login) -> None:
    """The times of a login."""
    from postroad.runtime.oauth import lifetime

    told.since = _time(found.since)
    if found.issued is not None and found.access_token:
        now = lifetime.now()
        old = lifetime.age(found.issued, now)
        if old is not None:
            told.renewed = _time(now.wall - old)
            told.ends = _time(now.wall - old + found.lifetime)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
