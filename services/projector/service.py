"""Projector's I/O: the file is kept and fed, questions are answered."""

from __future__ import annotations

import asyncio
import gc
import os

from postroad.runtime.service import Context, Service
from services.projector.endpoints import serving
from services.projector.keeper import Keeper

NICE = 10  # mail goes first
# New objects that may be parts of cycles before it is looked for these: rows are none, and looking
# through them as often as Python does takes a twentieth of a rebuild.
CYCLES = 20_000


async def run(context: Context) -> None:
    """Fold and answer until told to stop."""
    os.nice(NICE)
    gc.freeze()
    gc.set_threshold(CYCLES)
    keeper = Keeper(context)
    keeping = asyncio.create_task(keeper.run())
    stopping = asyncio.create_task(context.stopping.wait())
    tried = asyncio.create_task(keeper.tried.wait())
    try:
        await asyncio.wait({keeping, stopping, tried}, return_when=asyncio.FIRST_COMPLETED)
        if tried.done():
            async with serving(context, keeper):
                context.ready()
                await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopping, tried, keeping):
            task.cancel()
        await asyncio.wait({keeping})
    if not keeping.cancelled():
        keeping.result()


SERVICE = Service(
    name="projector",
    about="folds every stream into tables, and answers questions about them",
    run=run,
)
