"""Every projection there is: the modules of `projections.analytics`, by name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from projections import analytics
from projections.projection import Projection, Query


@cache
def projections() -> tuple[Projection, ...]:
    """All of them, in order of name."""
    names = sorted(module.name for module in pkgutil.iter_modules(analytics.__path__))
    return tuple(
        importlib.import_module(f"{analytics.__name__}.{name}").PROJECTION for name in names
    )


@cache
def queries() -> dict[str, Query]:
    """Every named query."""
    return {query.name: query for projection in projections() for query in projection.queries}
