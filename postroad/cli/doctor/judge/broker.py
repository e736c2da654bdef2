"""The broker, and what only a running Postroad can tell: its lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postroad.cli import arrival
from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.cli.doctor.judge.machine import HERE
from postroad.mail.addresses import Form
from postroad.runtime.config import Config
from schemas.lists import ListSettings

START = "start it: postroad up"


@dataclass(frozen=True)
class Broker:
    """`problem` is why it cannot be used, as its error line says it; `running` is whether it
    was spoken to, `version` its own, or that of the program that would be started; `last_words`
    are those of an embedded one that did not start; `gone_back` says which stream has less than it
    had, `key` that the people there are not known by our site key."""

    embedded: bool
    running: bool
    version: str = ""
    problem: str = ""
    last_words: str = ""
    gone_back: str = ""
    key: str = ""


@dataclass(frozen=True)
class List:
    """A list: how many members, and owners and moderators it has, and its settings."""

    address: str
    members: int = 0
    staff: int = 0
    settings: ListSettings = field(default_factory=ListSettings)

    @property
    def form(self) -> Form:
        """The form of its addresses."""
        return self.settings.sub_address


def broker(facts: Broker) -> Finding:
    """Whether mail may be trusted to it."""
    if facts.problem:
        what, _, remedy = facts.problem.partition("; ")
        return failed("broker", HERE, what, remedy or "see its log: state_dir/broker/nats.log")
    if facts.gone_back:
        what, _, remedy = facts.gone_back.partition("; nothing goes on with it: ")
        return failed("broker", HERE, what, remedy)
    if facts.key:
        what, _, remedy = facts.key.partition("; ")
        return failed("broker", HERE, what, remedy)
    if facts.last_words:
        what = f"it did not start the last time: {facts.last_words}"
        return failed("broker", HERE, what, "docs/operators/broker-will-not-start.md")
    kind = "embedded" if facts.embedded else "your own"
    if not facts.running:
        return ok("broker", HERE, f"{kind}, not running now; nats-server {facts.version}")
    return ok("broker", HERE, f"{kind}, nats-server {facts.version}, syncs always")


def lists(found: Sequence[List] | None, config: Config) -> list[Finding]:
    """Lists whose mail reaches no mailbox, whose owners' mail reaches nobody, and that the settings
    name in vain. `found` is None where nothing runs."""
    if found is None:
        return [skipped("lists", HERE, "Postroad is not running", START)]
    lacking = []
    for one in found:
        obstacle = arrival.obstacle(config, one.address, one.form)
        if obstacle is not None:
            what = f"{one.address}: {obstacle.what}"
            lacking.append(failed("lists", HERE, what, obstacle.remedy))
        if not one.staff and not arrival.owner(config, one.address):
            what = f"nobody gets mail to {arrival.owner_address(one.address, one.form)}"
            lacking.append(warning("lists", HERE, what, arrival.owner_remedy(one.address)))
    there = {one.address for one in found}
    for address, setting in arrival.awaited(config).items():
        if address not in there:
            what = f"{setting} is {address}, and there is no such list"
            lacking.append(warning("lists", HERE, what, f"postroad list create {address}"))
    count = "1 list" if len(found) == 1 else f"{len(found)} lists"
    well = ok("lists", HERE, f"{count}, each with a mailbox for its mail, and an owner")
    return lacking or [well if found else ok("lists", HERE, "no lists yet")]
