"""Spans as any OpenTelemetry backend gets them."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.proto.trace.v1 import trace_pb2

from postroad.runtime.settings import Telemetry as Settings
from postroad.runtime.telemetry import Telemetry, about
from schemas.spans import first_span
from tests.peers.otlp import Receiver, values

MAIL = "0199d2c64d3070008abcdef012345678"
OTHER = "0199d2c64d317000812345678abcdef0"
Kind, Code = trace_pb2.Span.SpanKind, trace_pb2.Status.StatusCode


async def store(_subject: str, _data: bytes) -> None:
    """SPANS, for which nobody cares here."""


def window(of: Telemetry) -> None:
    """A window that fails."""
    with of.span("sender.window", kind="client") as span:
        span.attributes = {"postroad.accepted": 16, "postroad.relay": "out"}
        span.moment("rule hit", {"postroad.rule": "max-size"})
        span.link("retry", f"00-{OTHER}-{first_span(OTHER)}-01")
        raise KeyError("ann@example.net")


async def test_a_backend_gets_whole_spans():
    """Resource, ids, parents, kinds, times, attributes with their types, links, moments, and a
    failure by its type: as OpenTelemetry has them, over HTTP with protobuf."""
    receiver = Receiver()
    async with receiver.listen() as port:
        url = f"http://127.0.0.1:{port}"
        of = Telemetry("sender", Settings(otlp_endpoint=url, service_namespace="lists"))
        with of.root(MAIL, "ingest.receive"):
            with pytest.raises(KeyError):
                window(of)
            with of.consumer("sender.chunk", {}, about("SEND", "process", subscription="bulk")):
                pass
        await of.flush(store)
        await asyncio.to_thread(of.close)
    by_name = {each.span.name: each for each in receiver.spans}
    assert set(by_name) == {"ingest.receive", "sender.window", "sender.chunk"}
    for each in receiver.spans:
        assert each.resource["service.name"] == "postroad-sender"
        assert each.resource["service.namespace"] == "lists"
        assert each.resource["service.instance.id"] == of.instance
        assert each.span.end_time_unix_nano >= each.span.start_time_unix_nano > 0
    first, sent, chunk = (
        by_name[name].span for name in ("ingest.receive", "sender.window", "sender.chunk")
    )
    assert (first.trace_id.hex(), first.span_id.hex()) == (MAIL, first_span(MAIL))
    assert (first.parent_span_id, first.kind) == (b"", Kind.SPAN_KIND_CONSUMER)
    assert first.status.code == Code.STATUS_CODE_UNSET
    assert (sent.trace_id, sent.parent_span_id) == (first.trace_id, first.span_id)
    assert sent.kind == Kind.SPAN_KIND_CLIENT
    assert (sent.status.code, sent.status.message) == (Code.STATUS_CODE_ERROR, "KeyError")
    told = {"postroad.accepted": 16, "postroad.relay": "out", "error.type": "KeyError"}
    assert values(sent.attributes) == told
    (moment,) = sent.events
    assert (moment.name, values(moment.attributes)) == ("rule hit", {"postroad.rule": "max-size"})
    (link,) = sent.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (OTHER, first_span(OTHER))
    assert values(link.attributes) == {"postroad.link": "retry"}
    assert values(chunk.attributes)["messaging.destination.name"] == "SEND"
    assert "example.net" not in str(receiver.spans)
