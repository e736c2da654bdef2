"""What is counted of each window: copies, replies, time, connections in use."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.runtime.instruments import COPIES, LANES, REPLIES, WINDOW
from postroad.runtime.metrics import Metrics
from services.sender.answers import Reply
from services.sender.outcomes import Window
from services.sender.transaction import Result


class Measured:
    """A window of a relay, for a `with` block in which it is sent."""

    __slots__ = ("_metrics", "_relay")

    def __init__(self, metrics: Metrics, relay: str) -> None:
        self._metrics, self._relay = metrics, relay

    def __enter__(self) -> None:
        self._metrics.add(LANES, self._relay, "used", by=1)

    def __exit__(self, *_: object) -> None:
        self._metrics.add(LANES, self._relay, "used", by=-1)


def measure(
    metrics: Metrics, relay: str, window: Window, results: Sequence[Result], seconds: float
) -> None:
    """Count a window that was sent. One that nobody was offered counts for nothing."""
    if not results:
        return
    metrics.record(WINDOW, relay, value=seconds)
    if window.accepted:
        metrics.add(COPIES, relay, "accepted", by=window.accepted)
    for failure in window.outcome.failures:
        metrics.add(COPIES, relay, failure.kind)
    offered = sum(len(result.recipients) for result in results)
    if window.accepted == offered:  # nearly always
        metrics.add(REPLIES, relay, "2xx", by=offered)
        return
    for result in results:
        for reply in result.recipients:
            metrics.add(REPLIES, relay, _class(reply))


def _class(reply: Reply | None) -> str:
    return f"{reply.code // 100}xx" if reply is not None and 200 <= reply.code < 600 else "none"
