"""What this release would change of streams and consumers when it is started: provisioning itself,
with what it asks to have changed written down instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroad.runtime.broker import Broker
from postroad.runtime.provision import provision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroad.runtime.config import Config


class Planned(Broker):
    """A broker that is only looked at. `changes` are in words."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker.nc)
        self.inbox = broker.inbox
        self.changes: list[str] = []
        self._found: dict[str, Mapping[str, Any]] = {}

    async def api(self, subject: str, body: object = None) -> Any:
        """Ask, or write down."""
        kind, verb, name = subject.split(".", 2)
        if verb == "INFO":
            answer = await super().api(subject, body)
            self._found[name] = answer["config"]
            return answer
        assert isinstance(body, dict)
        what = f"{kind.lower()} {name}"
        config = body.get("config", body)
        found = self._found.get(name)
        if found is None:
            self.changes.append(f"{what} is made")
        else:
            keys = sorted(key for key in {*found, *config} if found.get(key) != config.get(key))
            told = (
                f"{key} {_told(found.get(key))} becomes {_told(config.get(key))}" for key in keys
            )
            self.changes.append(f"{what}: {'; '.join(told)}")
        return {}


async def changes(broker: Broker, config: Config) -> list[str]:
    """What would be changed. Raises BrokerUnavailable, ApiError."""
    planned = Planned(broker)
    settings = config.broker
    await provision(planned, replicas=settings.replicas, ack_wait=settings.ack_wait_seconds)
    return planned.changes


def _told(value: object) -> str:
    return "nothing" if value in (None, "", []) else str(value)
