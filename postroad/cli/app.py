"""The tree of commands: every noun's module, in the order that help shows them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from postroad.cli import (
    activity,
    approvals,
    backup,
    bringing,
    config,
    consumer,
    deadletter,
    demo,
    doctor,
    explain,
    frame,
    held,
    helppage,
    liststats,
    mail,
    oauth,
    rebuild,
    recipients,
    replay,
    restore,
    retention,
    retry,
    run,
    simulate,
    sql,
    status,
    stream,
    template,
    trace,
    upgrade,
    verify,
)

app = typer.Typer(
    name="postroad",
    cls=helppage.GroupPage,
    help="A self-hosted mailing-list system: every post is an event, every copy is accounted for.",
    epilog="Example: postroad demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"postroad {version('postroad')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config_file: frame.ConfigFile = None,
    as_json: frame.AsJson = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            metavar="",
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Options that may stand before every command."""
    frame.remember(ctx, config_file, as_json)


for noun in (
    demo.demo,
    run.run,
    status.status,
    retention.retention,
    doctor.doctor,
    liststats.lists,
    template.template,
    activity.member,
    bringing.import_,
    mail.mail,
    recipients.post,
    explain.explain,
    held.held,
    approvals.request,
    trace.trace,
    deadletter.deadletter,
    stream.stream,
    consumer.consumer,
    sql.sql,
    retry.retry,
    rebuild.rebuild,
    verify.verify,
    backup.backup,
    restore.restore,
    upgrade.upgrade,
    replay.replay,
    simulate.simulate,
    oauth.oauth,
    config.config,
):
    app.add_typer(noun)
