"""The broker, and what only a running Postroad can tell: its lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.cli.doctor.finding import Finding, failed, ok, skipped
from postroad.cli.doctor.judge.machine import HERE

START = "start it: postroad up"


@dataclass(frozen=True)
class Broker:
    """`problem` is why it cannot be used, as its error line says it; `running` is whether it
    was spoken to, `version` its own, or that of the program that would be started."""

    embedded: bool
    running: bool
    version: str = ""
    problem: str = ""


@dataclass(frozen=True)
class List:
    """A list, and how many members it has."""

    address: str
    members: int = 0


def broker(facts: Broker) -> Finding:
    """Whether mail may be trusted to it."""
    if facts.problem:
        what, _, remedy = facts.problem.partition("; ")
        return failed("broker", HERE, what, remedy or "see its log: state_dir/broker/nats.log")
    kind = "embedded" if facts.embedded else "your own"
    if not facts.running:
        return ok("broker", HERE, f"{kind}, not running now; nats-server {facts.version}")
    return ok("broker", HERE, f"{kind}, nats-server {facts.version}, syncs always")


def lists(
    found: Sequence[List] | None, domains: Sequence[str], read: Sequence[str]
) -> list[Finding]:
    """Lists that no mailbox gets mail for. `found` is None where nothing runs, `domains` are
    those of the settings, `read` those that some source reads mail for."""
    if found is None:
        return [skipped("lists", HERE, "Postroad is not running", START)]
    lost = []
    for one in found:
        domain = one.address.rpartition("@")[2]
        if domain not in domains:
            what = f"{one.address}: its domain is not in the settings, so its mail goes nowhere"
            lost.append(failed("lists", HERE, what, f'add [[domain]] name = "{domain}"'))
        elif domain not in read:
            what = f"{one.address}: no [[source]] reads mail for {domain}"
            lost.append(failed("lists", HERE, what, "add a [[source]], or free one of its domain"))
    return lost or [ok("lists", HERE, f"{len(found)} lists, each with a mailbox for its mail")]
