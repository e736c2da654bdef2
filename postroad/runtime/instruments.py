"""Every metric there is: its name, unit and attributes. docs/sres.md lists them, and a test
compares the two, and both with the rules and dashboards in deploy/.

Names under `messaging.` and `http.` are OpenTelemetry's semantic conventions, all others ours. No
attribute has a value that strangers choose, nor one that names a person: a series is for ever.
"""

from __future__ import annotations

from postroad.runtime.metrics import Instrument

STREAM = "messaging.destination.name"
DURABLE = "messaging.consumer.group.name"
OUTCOME = "postroad.outcome"
SERVICE = "postroad.service"
SOURCE = "postroad.source"
RELAY = "postroad.relay"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# --- what the processes of the road count ------------------------------------------------------

CONSUMED = Instrument(
    name="messaging.client.consumed.messages",
    kind="counter",
    unit="{message}",
    about="messages answered, by what became of them: handled, retried, parked, superseded",
    attributes=(DURABLE, STREAM, OUTCOME),
)
PROCESSED = Instrument(
    name="messaging.process.duration",
    kind="histogram",
    unit="s",
    about="time a handler took for a message",
    attributes=(DURABLE, STREAM),
    bounds=SECONDS,
)
