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
MAILS = Instrument(
    name="postroad.ingest.mails",
    kind="counter",
    unit="{mail}",
    about="mails met at a source: received (on the road), or refused (left on its server)",
    attributes=(SOURCE, OUTCOME),
)
VERDICTS = Instrument(
    name="postroad.router.verdicts",
    kind="counter",
    unit="{decision}",
    about="decisions on a mail and a list, by kind: post, held, rejected, command, bounce, ...",
    attributes=("postroad.verdict",),
)
RULE_HITS = Instrument(
    name="postroad.router.rule.hits",
    kind="counter",
    unit="{hit}",
    about="rules that hit, whether or not they decided",
    attributes=("postroad.rule",),
)
COMMANDS = Instrument(
    name="postroad.membership.commands",
    kind="counter",
    unit="{command}",
    about="commands to membership, by name and by whether they were done or refused",
    attributes=("postroad.command", OUTCOME),
)
FANOUTS = Instrument(
    name="postroad.membership.fanout.duration",
    kind="histogram",
    unit="s",
    about="time from a routed post to its last chunk in the queue",
    bounds=SECONDS,
)
QUEUED = Instrument(
    name="postroad.membership.fanout.recipients",
    kind="counter",
    unit="{recipient}",
    about="recipients that fan-outs put into the queue",
)
COPIES = Instrument(
    name="postroad.sender.copies",
    kind="counter",
    unit="{copy}",
    about="copies by relay and outcome: accepted, deferred, failed",
    attributes=(RELAY, OUTCOME),
)
REPLIES = Instrument(
    name="postroad.smtp.replies",
    kind="counter",
    unit="{reply}",
    about="replies of a relay to recipients and messages, by class: 2xx, 4xx, 5xx, or none",
    attributes=(RELAY, "smtp.reply.class"),
)
WINDOW = Instrument(
    name="postroad.sender.window.duration",
    kind="histogram",
    unit="s",
    about="time of a window: its transactions with the relay, up to the last answer",
    attributes=(RELAY,),
    bounds=SECONDS,
)
LANES = Instrument(
    name="postroad.relay.lanes",
    kind="gauge",
    unit="{connection}",
    about="connections to a relay, by state: used, or in all",
    attributes=(RELAY, "postroad.state"),
)
HTTP_SERVED = Instrument(
    name="http.server.request.duration",
    kind="histogram",
    unit="s",
    about="time of an HTTP request, with what its client took to make it",
    attributes=(SERVICE, "http.response.status_code"),
    bounds=SECONDS,
)
ROWS = Instrument(
    name="postroad.projector.rows",
    kind="counter",
    unit="{row}",
    about="rows that the projector has stored",
)
DELETED = Instrument(
    name="postroad.janitor.deleted",
    kind="counter",
    unit="{thing}",
    about="what the janitor has deleted: mails, sendings, parked",
    attributes=("postroad.kind",),
)

# --- what the monitor finds out ------------------------------------------------------------------

STATE = Instrument(
    name="postroad.state",
    kind="gauge",
    unit="1",
    about="0 healthy, 1 degraded, 2 down; as postroad status says it",
)
BROKER_UP = Instrument(
    name="postroad.broker.up", kind="gauge", unit="1", about="1 where the broker answers, else 0"
)
BROKER_STORED = Instrument(
    name="postroad.broker.storage", kind="gauge", unit="By", about="what all streams hold on disk"
)
RESTARTS = Instrument(
    name="postroad.service.restarts",
    kind="counter",
    unit="{restart}",
    about="processes that died and were started again, since the supervisor started; "
    "also of the embedded broker",
    attributes=(SERVICE,),
)
INSTANCES = Instrument(
    name="postroad.service.instances",
    kind="gauge",
    unit="{instance}",
    about="processes of a service that are at work; 0 where there should be one",
    attributes=(SERVICE,),
)
CRASHING = Instrument(
    name="postroad.service.crashing",
    kind="gauge",
    unit="1",
    about="1 where a service, or the embedded broker, dies again and again",
    attributes=(SERVICE,),
)
CPU = Instrument(
    name="process.cpu.time",
    kind="counter",
    unit="s",
    about="processor time of the processes of a service",
    attributes=(SERVICE,),
)
MEMORY = Instrument(
    name="postroad.process.memory.peak",
    kind="gauge",
    unit="By",
    about="resident memory of the processes of a service, at its highest so far",
    attributes=(SERVICE,),
)
WAITING = Instrument(
    name="postroad.consumer.waiting",
    kind="gauge",
    unit="{message}",
    about="messages that wait before a consumer and were not given out yet: the lag of a stage",
    attributes=(DURABLE, STREAM),
)
PENDING = Instrument(
    name="postroad.consumer.pending",
    kind="gauge",
    unit="{message}",
    about="messages in hand, given out and not answered",
    attributes=(DURABLE, STREAM),
)
OLDEST = Instrument(
    name="postroad.consumer.oldest.age",
    kind="gauge",
    unit="s",
    about="age of the oldest message that is not answered; 0 where there is none",
    attributes=(DURABLE, STREAM),
)
STUCK = Instrument(
    name="postroad.consumer.stuck.time",
    kind="gauge",
    unit="s",
    about="for how long messages have waited and become no fewer",
    attributes=(DURABLE, STREAM),
)
PARKED = Instrument(
    name="postroad.parked.messages",
    kind="gauge",
    unit="{message}",
    about="messages in DEADLETTER that nobody has resolved",
)
HELD = Instrument(
    name="postroad.held.mails",
    kind="gauge",
    unit="{mail}",
    about="mails that wait for a moderator's verdict",
)
LATER = Instrument(
    name="postroad.later.copies",
    kind="gauge",
    unit="{copy}",
    about="copies that the broker keeps for a later try",
)
SOURCE_UP = Instrument(
    name="postroad.source.up",
    kind="gauge",
    unit="1",
    about="1 where a source works, 0 where it fails; nothing before it was tried",
    attributes=(SOURCE,),
)
RELAY_UP = Instrument(
    name="postroad.relay.up",
    kind="gauge",
    unit="1",
    about="1 where a relay works, 0 where it fails; nothing before it was tried",
    attributes=(RELAY,),
)
RELAY_PAUSED = Instrument(
    name="postroad.relay.paused",
    kind="gauge",
    unit="1",
    about="the breaker: 1 while a relay is paused and gets no copies, else 0",
    attributes=(RELAY,),
)
RELAY_LIMITED = Instrument(
    name="postroad.relay.limited",
    kind="gauge",
    unit="1",
    about="1 where a relay has had what its limits allow for now, else 0",
    attributes=(RELAY,),
)
FAILING = Instrument(
    name="postroad.failing",
    kind="gauge",
    unit="{thing}",
    about="things beside the road that fail, by kind: analytics, hook, incident, janitor, lookup, "
    "storage, telemetry, telling, web",
    attributes=("postroad.kind",),
)
ACTION = Instrument(
    name="postroad.action.needed",
    kind="gauge",
    unit="{thing}",
    about="things that only a person can mend, by kind: source, relay, analytics, ...",
    attributes=("postroad.kind",),
)
FOLD_LAG = Instrument(
    name="postroad.projector.lag",
    kind="gauge",
    unit="{event}",
    about="events of a stream that are not in the tables yet",
    attributes=(STREAM,),
)
FOLD_AGE = Instrument(
    name="postroad.projector.lag.time",
    kind="gauge",
    unit="s",
    about="age of the oldest of them",
    attributes=(STREAM,),
)
DISK_FREE = Instrument(
    name="postroad.disk.free", kind="gauge", unit="By", about="free on the disk of state_dir"
)
DISK_SIZE = Instrument(
    name="postroad.disk.size", kind="gauge", unit="By", about="size of the disk of state_dir"
)
RAISED = Instrument(
    name="postroad.alarms.raised",
    kind="gauge",
    unit="{alarm}",
    about="alarms that were raised and are not over, by their name",
    attributes=("postroad.alarm",),
)
LOOKED = Instrument(
    name="postroad.monitor.look.duration",
    kind="histogram",
    unit="s",
    about="time the monitor takes to look at everything",
    bounds=SECONDS,
)

ALL: tuple[Instrument, ...] = tuple(
    each for each in tuple(globals().values()) if isinstance(each, Instrument)
)
