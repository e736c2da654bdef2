"""A finished span as it lies in the SPANS stream; times in nanoseconds since the epoch.

A stored format: fields are only ever added, with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Attribute = str | int | float | bool
Kind = Literal["internal", "client", "consumer", "producer", "server"]


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Another span that has to do with this one, and how (`postroad.link`). No `span`: only the
    trace is known."""

    trace: str
    span: str = ""
    how: str = ""


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What happened within a span at one time (OpenTelemetry calls it a span event)."""

    name: str
    at: int
    attributes: dict[str, Attribute] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One finished span. Attributes hold no address, token or secret."""

    trace: str
    span: str
    parent: str = ""
    name: str
    service: str
    kind: Kind = "internal"
    start: int
    end: int
    error: str = ""
    attributes: dict[str, Attribute] = {}
    instance: str = ""
    links: tuple[Link, ...] = ()
    moments: tuple[Moment, ...] = ()


class Linked(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """That a span of another trace (`by`) has a link into this one."""

    trace: str
    by: Link


class SpanBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What one flush stores in one message: spans of the traces of one shard, and who elsewhere
    has links to such traces."""

    spans: tuple[Span, ...] = ()
    linked: tuple[Linked, ...] = ()


def first_span(trace_id: str) -> str:
    """The id of the span that a trace begins with, so that whoever knows a mail can link to it."""
    return trace_id[16:] if trace_id[16:].strip("0") else f"{1:016x}"
