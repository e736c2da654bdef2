"""How many processes of each service run: `--only` and `--scale`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from postroad.runtime.errors import UsageError
from postroad.runtime.settings import Relay

MOST = 16  # of one service on one machine: as many rosters may lie there
SEVERAL = ("router", "membership", "sender")
ONE = {  # and why
    "ingest": "each mailbox is read by one process, which reads all of them at once",
    "projector": "analytics.duckdb has one process that writes it",
    "janitor": "a second would only delete the same",
    "web": "one process has its port",
    "monitor": "one process has its port",
}


def chosen(
    there: Sequence[str], only: Collection[str], scale: Iterable[str], relays: Sequence[Relay]
) -> dict[str, int]:
    """How many of each service in `there`, in their order; 0 for those left out. `scale` are words
    such as "sender=2". Raises UsageError with the reason."""
    for name in only:
        if name not in there:
            raise UsageError(f"--only {name}: no service that would run; there are: {_all(there)}")
    counts = {name: int(name in (only or there)) for name in there}
    for word in scale:
        name, _, number = word.partition("=")
        if name not in there:
            raise UsageError(f"--scale {word}: no service that would run; there are: {_all(there)}")
        if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= MOST):
            raise UsageError(f"--scale {word}: say how many, 1 to {MOST}: --scale {name}=2")
        if not counts[name]:
            raise UsageError(f"--scale {word}: --only leaves {name} out")
        if int(number) > 1:
            _check(word, name, relays)
        counts[name] = int(number)
    return counts


def _check(word: str, name: str, relays: Sequence[Relay]) -> None:
    if name not in SEVERAL:
        reason = ONE.get(name, "it is not made for that")
        raise UsageError(f"--scale {word}: {reason}; several may run of {_all(SEVERAL)}")
    if name == "sender":
        for relay in relays:
            if limits := _limits(relay):
                raise UsageError(
                    f"--scale {word}: relay {relay.name} has {_all(limits)}, which a sender counts "
                    "for itself alone: two would send twice as much; run one, or take the limit out"
                )


def _limits(relay: Relay) -> list[str]:
    given: Mapping[str, object] = {
        "daily": relay.daily,
        "rate": relay.rate,
        "warm_up": relay.warm_up,
        "destination": relay.destination,
    }
    return [name for name, value in given.items() if value]


def _all(names: Iterable[str]) -> str:
    return ", ".join(names)


def labels(name: str, count: int) -> list[str]:
    """What the processes of a service are called: sender, sender-2, sender-3."""
    return [name if number == 1 else f"{name}-{number}" for number in range(1, count + 1)]
