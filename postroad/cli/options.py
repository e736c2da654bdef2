"""Options that several commands have, each said once."""

from __future__ import annotations

from typing import Annotated

import typer

Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME|30d", help="From then on: how long ago (30d, 12h), a date, a time."
    ),
]
OnlyList = Annotated[str, typer.Option("--list", metavar="LIST", help="Only this list.")]
AtMost = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many.")]
