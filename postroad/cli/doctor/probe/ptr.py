"""The address that a relay sees us from, or one on this machine sends from, and its name."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket

from postroad.cli.doctor.judge.ptr import Reverse
from postroad.cli.doctor.probe.dns import Resolver

NAMES = 3  # of one address that are looked at
ELSEWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # in no network
_LITERAL = re.compile(r"[\[(](?:IPv6:)?([0-9a-fA-F.:]{3,45})[\])]")


async def reverse(resolver: Resolver, hello: str, own: str) -> Reverse:
    """`hello` is the relay's answer to EHLO, where many name the client; `own` our address of that
    connection, "" without one."""
    seen, address = True, _told(hello) or public(own)
    if not address and _local(own):
        seen, address = False, outgoing()
    if not address:
        return Reverse()
    answer = await resolver.ptr(address)
    if answer.problem in ("silent", "broken"):
        return Reverse(address, None, answer.problem, seen)
    names = [name.rstrip(".") for name in answer.records[:NAMES]]
    found = await asyncio.gather(*map(resolver.addresses, names))
    both = {name: each.records for name, each in zip(names, found, strict=True)}
    return Reverse(address, both, "", seen)


def _told(hello: str) -> str:
    """The public address that a relay greets us by: `mx.example.org, hello [198.51.100.7]`."""
    return next(filter(None, map(public, _LITERAL.findall(hello))), "")


def public(text: str) -> str:
    """The address in this text, where it is one that the world can reach; or ""."""
    address = _address(text)
    return str(address) if address and address.is_global else ""


def _local(text: str) -> bool:
    address = _address(text)
    return not text or bool(address and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def outgoing() -> str:
    """The public address that this machine sends from, where it has one of its own. Only the
    routing table is asked: nothing is sent."""
    for place, family in ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                asked.connect((place, 9))
                if found := public(asked.getsockname()[0]):
                    return found
        except OSError:
            continue
    return ""
