"""The name of the address that receivers, or the relay, see us send from (RFC 8601, 2.7.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from postroad.cli.doctor.finding import Finding, ok, skipped, warning


@dataclass(frozen=True)
class Reverse:
    """An address ("" where nobody can tell it), the names of its PTR records with the addresses
    of each, and `problem` where nobody answers. `seen`: by a relay elsewhere; else it is where a
    relay on this machine sends from."""

    address: str = ""
    names: Mapping[str, Sequence[str]] | None = None
    problem: str = ""
    seen: bool = True


def ptr(relay: str, facts: Reverse, *, logs_in: bool) -> Finding:
    """Whether the address has a name that leads back to it. `logs_in`: the relay knows us by a
    login, so that its own address counts with receivers, and not ours."""
    subject = f"relay {relay}"
    if not facts.address:
        what = "nobody here can tell the address that receivers see"
        return skipped("ptr", subject, what, "see what the relay sends from has a PTR record")
    if facts.problem:
        what = f"no name server answers about {facts.address}"
        return skipped("ptr", subject, what, "check /etc/resolv.conf, and the firewall (port 53)")
    names = facts.names or {}
    back = [name for name, addresses in names.items() if facts.address in addresses]
    who = "the relay sees us from" if facts.seen else "mail leaves from"
    if back:
        return ok("ptr", subject, f"{who} {facts.address}, {back[0]}, which leads back")
    if logs_in and facts.seen:
        what = f"{who} {facts.address}, which has no name; with a login the relay's own counts"
        return ok("ptr", subject, what)
    if names:
        what = f"{who} {facts.address}; its name {min(names)} does not lead back to it"
        return warning("ptr", subject, what, f"let {min(names)} have the address {facts.address}")
    what = f"{who} {facts.address}, which has no PTR record: large receivers refuse it"
    remedy = f"publish: {ip_address(facts.address).reverse_pointer}. PTR NAME-OF-THIS-MACHINE."
    return warning("ptr", subject, what, remedy)
