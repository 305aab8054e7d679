"""`flask env`: the environment that RQ's own tools need."""

from __future__ import annotations

import shlex

import click

import config
from web.cli import output
from web.cli.command import example, json_option, single


@single("env", epilog=example('eval "$(flask env)"', "rq requeue --queue crm-events --all"))
@json_option
def show(as_json: bool) -> None:
    """Print what RQ's own tools need, as shell exports.

    Run them in the project's folder. The output holds the password of Redis: it is meant for eval.
    """
    # RQ reads these when it gets no --url and no classes. The job class keeps every job JSON; the queue class
    # knows the lanes of a long queue.
    variables = {
        "RQ_REDIS_URL": config.settings().redis_location,
        "RQ_JOB_CLASS": "queues.job.Job",
        "RQ_QUEUE_CLASS": "queues.queue.Queue",
    }
    if as_json:
        output.as_json(variables)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
