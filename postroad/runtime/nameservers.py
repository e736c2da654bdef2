"""The name servers that are asked: the system's, or the one that the settings name."""

from __future__ import annotations

import dns.asyncresolver
import dns.resolver

from postroad.runtime.settings_forms import name_server


def resolver(named: str, seconds: float) -> dns.asyncresolver.Resolver:
    """Asks `named` (ADDRESS or ADDRESS:PORT; "" for the system's), and waits `seconds` for an
    answer, with all retries. Raises ValueError where that is no address."""
    try:
        found = dns.asyncresolver.Resolver(configure=not named)
    except dns.resolver.NoResolverConfiguration:  # no /etc/resolv.conf: nobody to ask
        found = dns.asyncresolver.Resolver(configure=False)
    if named:
        address, found.port = name_server(named)
        found.nameservers = [address]
    found.timeout = seconds / 2
    found.lifetime = seconds
    found.search = []
    return found
