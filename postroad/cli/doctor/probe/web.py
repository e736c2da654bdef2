"""A look at where links to leave by lead, from this machine. Nobody leaves by it."""

from __future__ import annotations

import httpx

from postroad.cli.doctor.judge.web import Web
from services.web.pages import nothing_here

SECONDS = 5.0


async def look(base_url: str) -> Web:
    """Ask for a page that is none: what our service says of such is ours alone to say."""
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            answer = await client.get(f"{base_url}/u/doctor")
    except httpx.HTTPError as error:
        return Web(base_url, problem=str(error) or type(error).__name__)
    return Web(base_url, status=answer.status_code, ours=answer.content == nothing_here())
