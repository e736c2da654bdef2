"""Having a consumer begin anew at a sequence, while its service goes on."""

from __future__ import annotations

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from schemas.subjects import Durable

RESETS = (2, 14)  # the first server that moves a consumer by itself


async def reset(broker: Broker, durable: Durable, seq: int) -> None:
    """Have it begin at this sequence. Raises ApiError, BrokerUnavailable."""
    version = broker.nc.connected_server_version
    where = f"{durable.stream}.{durable.name}"
    if (version.major, version.minor) >= RESETS:
        await broker.api(f"CONSUMER.RESET.{where}", {"seq": seq})
        return
    # by hand; where its service is faster, it begins at the beginning, and nothing is done twice
    config = (await broker.api(f"CONSUMER.INFO.{where}"))["config"]
    start = {"deliver_policy": "by_start_sequence", "opt_start_seq": seq}
    await broker.api(f"CONSUMER.DELETE.{where}")
    try:
        await broker.api(
            f"CONSUMER.CREATE.{where}",
            {"stream_name": durable.stream, "config": {**config, **start}, "action": "create"},
        )
    except ApiError:
        await broker.api(f"CONSUMER.INFO.{where}")  # is there, or raises
