"""One trace from the IMAP fetch to each SMTP window, kept by us and told to OTLP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.system import mail, until, world

MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(40)]


class Collector:
    """An OTLP/HTTP endpoint that keeps what it is sent: (trace id, span name, service)."""

    def __init__(self) -> None:
        self.spans: set[tuple[str, str, str]] = set()

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
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                body = await reader.readexactly(length)
                assert "content-encoding" not in head
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    named = {
                        item.key: item.value.string_value for item in resource.resource.attributes
                    }
                    for scope in resource.scope_spans:
                        self.spans |= {
                            (span.trace_id.hex(), span.name, named["service.name"])
                            for span in scope.spans
                        }
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()


async def test_the_trace_is_one_and_goes_everywhere(tmp_path: Path) -> None:
    """Every hop of a post is a span of one trace, whose id each copy carries; `postroad trace`
    shows it without anything installed, and an OTLP backend gets the same spans."""
    collector = Collector()
    async with (
        collector.listen() as port,
        world(tmp_path, telemetry=f"http://127.0.0.1:{port}") as here,
    ):
        await here.road.make_list("team@example.org", MEMBERS)
        here.post(mail(1))
        records = await here.sink.wait_for(40)
        (trace,) = {record.trace for record in records}
        steps = {
            "ingest.receive",
            "router.handle",
            "membership.fanout",
            "sender.chunk",
            "sender.window",
        }

        async def shown() -> bool:
            answer = await here.road.cli("trace", trace, "--json")
            return answer.code == 0 and steps <= {span["name"] for span in answer.json["spans"]}

        await until(shown, "the trace is kept")
        spans = (await here.road.cli("trace", trace, "--json")).json["spans"]
        assert {span["trace"] for span in spans} == {trace}
        by_id = {span["span"]: span for span in spans}
        roots = [span["name"] for span in spans if span.get("parent", "") not in by_id]
        assert roots == ["ingest.receive"]
        windows = [span for span in spans if span["name"] == "sender.window"]
        assert sum(span["attributes"]["postroad.accepted"] for span in windows) == 40
        drawn = await here.road.cli("trace", trace)
        assert all(step in drawn.out for step in steps)
        assert max(map(len, drawn.out.splitlines())) <= 100

        async def told() -> bool:
            return steps <= {name for id_, name, _ in collector.spans if id_ == trace}

        await until(told, "the collector has the trace")
        text = drawn.out + str(spans) + str(collector.spans)
        assert not any(member in text for member in MEMBERS)
