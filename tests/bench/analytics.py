"""All that is asked of the analytics in figures, with a million of each thing: see the modules. The
questions about 50 million copies are a scenario of their own, `ledger`, which takes minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.bench import behind, folding, past, questions
from tests.bench.figures import Figure


async def measure() -> AsyncIterator[Figure]:
    """Folding, copies and memory; how far behind; past mail; questions."""
    for part in (folding, behind, past):
        async for figure in part.measure():
            yield figure
    for figure in questions.of(questions.FEW):
        yield figure
