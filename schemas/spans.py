"""A finished span as it lies in the SPANS stream; times in nanoseconds since the epoch."""

from __future__ import annotations

from typing import Literal

import msgspec

Attribute = str | int | float | bool
Kind = Literal["internal", "client", "consumer", "server"]


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


class SpanBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one flush stores in one message."""

    spans: tuple[Span, ...]
