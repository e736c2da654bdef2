"""Within what time most copies were taken, in SQL. Pure."""

from __future__ import annotations

# of rows with `seconds`, `so_far` (copies taken within these) and `total` (all of them)
WITHIN = ", ".join(
    f"min(seconds) filter (so_far >= 0.{percent} * total) as p{percent}" for percent in (50, 95, 99)
)
