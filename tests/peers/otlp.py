"""An OTLP/HTTP endpoint that keeps what it is sent, decoded by OpenTelemetry's own protocol."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

Value = str | int | float | bool


@dataclass(frozen=True)
class Received:
    """One span as it came, and the attributes of its resource."""

    span: trace_pb2.Span
    resource: Mapping[str, Value]

    @property
    def trace(self) -> str:
        """Its trace id, in hex."""
        return self.span.trace_id.hex()

    @property
    def attributes(self) -> Mapping[str, Value]:
        """Its attributes."""
        return values(self.span.attributes)


class Receiver:
    """Takes what is posted to /v1/traces."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.came = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[int]:
        """Serve on a free loopback port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.startswith("post /v1/traces")
                assert "content-type: application/x-protobuf" in head
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                body = await reader.readexactly(length)
                if "content-encoding: gzip" in head:
                    body = gzip.decompress(body)
                for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = values(of.resource.attributes)
                    for scope in of.scope_spans:
                        self.spans += [Received(span, resource) for span in scope.spans]
                self.came.set()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()


def values(attributes: object) -> dict[str, Value]:
    """Attributes as plain data."""
    found: dict[str, Value] = {}
    for each in attributes:  # type: ignore[attr-defined]
        assert isinstance(each, KeyValue)
        found[each.key] = getattr(each.value, str(each.value.WhichOneof("value")))
    return found
