"""The real servers that end-to-end tests talk to."""

from __future__ import annotations

from tests.peers.fixtures import dovecot, nats, postfix, sink, smtp_sink

__all__ = ["dovecot", "nats", "postfix", "sink", "smtp_sink"]
