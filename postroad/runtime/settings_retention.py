"""How long what is finished stays: the shape of [retention]."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from postroad.runtime import settings_forms as forms
from postroad.runtime.quantities import duration

SHORTEST, LONGEST = 3_600.0, 10 * 365 * 86_400.0  # seconds; beyond them an age is warned of


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """[retention]: how long what is finished stays. Only time in which Postroad runs counts."""

    mail: str = "30d"  # mail itself, once all is done with it
    send: str = "7d"  # queues of copies, once all are sent; bounces and retries need them
    deadletter: str = "90d"  # parked messages, once they are resolved

    @property
    def mail_seconds(self) -> float:
        """That of mail itself, in seconds."""
        return duration(self.mail)

    @property
    def known_seconds(self) -> float:
        """How old a mail may be that is surely still known: a sixth less, and 25 days at most."""
        return min(25 * 86_400.0, self.mail_seconds * 5 / 6)

    @property
    def send_seconds(self) -> float:
        """That of queues of copies, in seconds."""
        return duration(self.send)

    @property
    def deadletter_seconds(self) -> float:
        """That of parked messages, in seconds."""
        return duration(self.deadletter)


def warn_retention(retention: Retention) -> Iterator[str]:
    """Ages that work, and are hardly meant."""
    if retention.mail_seconds < retention.send_seconds:
        yield (
            f'[retention] mail = "{retention.mail}" is shorter than send = "{retention.send}": '
            f"a mail stays as long as its copies, {retention.send}"
        )
    for field in msgspec.structs.fields(Retention):
        age = getattr(retention, field.name)
        if duration(age) > LONGEST:
            yield (
                f'[retention] {field.name} = "{age}" is more than ten years: that is never, and '
                "the disk must hold all of it"
            )
        elif duration(age) < SHORTEST:
            yield (
                f'[retention] {field.name} = "{age}" is less than an hour: meant for trying it '
                "out; the janitor looks 24 times in that"
            )


def check_retention(retention: Retention) -> Iterator[str]:
    """Three ages."""
    for field in msgspec.structs.fields(Retention):
        age = getattr(retention, field.name)
        yield from forms.quantity(f"[retention] {field.name}", age, duration, least=1)
