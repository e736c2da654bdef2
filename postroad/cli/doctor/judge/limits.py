"""What a relay may be given in a time, as set, as its provider has it, and as the lists need it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from postroad.cli.doctor.finding import Finding, failed, ok, warning
from postroad.runtime.profiles import PROFILES, provider
from postroad.runtime.settings import Destination, Rates, Relay

DAY_SECONDS = 86_400


class Share(NamedTuple):
    """Of one post to a list: how many recipients may come to a relay."""

    address: str
    members: int


def limits(relay: Relay, today: date, shares: Sequence[Share], senders: int) -> Finding:
    """Every limit that is set, with today's step of a warm-up (`today` in UTC). `shares` are of
    the lists it sends for; `senders` is how many processes count, each for itself."""
    check, subject = "limits", f"relay {relay.name}"
    known = PROFILES["relay"].get(provider(relay.profile, relay.host), {}).get("daily", 0)
    assert isinstance(known, int)
    told = "; ".join(_told(relay, today))
    if not relay.daily and known:
        what = f"daily is not set; the provider stops after about {known:,} recipients a day"
        return warning(check, subject, what, f"set daily = {known}, or what your contract says")
    if not told:
        return ok(check, subject, "no limit set, and none is known of this relay")
    if finding := _too_small(relay, today, shares):
        return finding
    if known and relay.daily > known:
        what = f"daily = {relay.daily:,}; the provider is known to stop after {known:,}"
        return warning(check, subject, what, f"set daily = {known}, unless your contract has more")
    if senders > 1:
        what = f"{told}; but {senders} senders run, and each counts only what it sends itself"
        return warning(check, subject, what, f"run one sender, or divide the limits by {senders}")
    return ok(check, subject, f"{told}; beyond that, copies wait")


def _too_small(relay: Relay, today: date, shares: Sequence[Share]) -> Finding | None:
    """Whether one post to the largest list takes longer than a day."""
    check, subject = "limits", f"relay {relay.name}"
    largest = max(shares, key=lambda share: share.members, default=None)
    rates = [int(count * DAY_SECONDS / seconds) for count, seconds in relay.rates]
    lasting = min((limit for limit in (relay.daily, *rates) if limit), default=0)
    step = relay.daily_on(today)
    if largest is None:
        return None
    has = f"{largest.address} has {largest.members:,} members: one post takes more than"
    if lasting and largest.members > lasting:
        remedy = "use a relay with a higher limit for this domain"
        return failed(check, subject, f"{has} a day's {lasting:,}", remedy)
    if step and largest.members > step:
        remedy = "let another relay send for this domain meanwhile, or post little"
        return warning(check, subject, f"{has} the {step:,} of {_when(relay, today)}", remedy)
    return None


def _told(relay: Relay, today: date) -> Iterator[str]:
    """Each limit in the words of the settings."""
    if when := _when(relay, today):
        later = f", later {relay.daily:,}" if relay.daily else ""
        yield f"{relay.daily_on(today):,} recipients in 24 hours ({when}{later})"
    elif relay.daily:
        yield f"{relay.daily:,} recipients in 24 hours"
    if relay.rate:
        yield _rates(relay.rate)
    yield from (_destination(each) for each in relay.destination)


def _when(relay: Relay, today: date) -> str:
    """The step of the warm-up that holds; "" where none does."""
    if relay.warm_up_from is None:
        return ""
    day = (today - relay.warm_up_from).days
    if day >= len(relay.warm_up):
        return ""
    if day < 0:
        return f"the first step of the warm-up, which begins on {relay.warm_up_from}"
    return f"day {day + 1} of {len(relay.warm_up)} of the warm-up"


def _destination(limited: Destination) -> str:
    """The limits of some recipients' domains."""
    connections = limited.connections
    told = [f"{connections} connection{'s' * (connections > 1)}"] if connections else []
    told += [_rates(limited.rate)] if limited.rate else []
    told += [f"{limited.daily:,} in 24 hours"] if limited.daily else []
    return f"{' and '.join(limited.domains)}: {', '.join(told)}"


def _rates(given: Rates) -> str:
    return given if isinstance(given, str) else ", ".join(given)
