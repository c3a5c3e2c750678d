"""`qgtm incident`: make the report of a halt that closed everything."""

from dataclasses import asdict
from typing import Annotated

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json
from qgtm.cli.report import caps_of, reports_of
from qgtm.reporting.incident import load_incident
from qgtm.reporting.incident_make import in_short, make_incident

Number = Annotated[int, typer.Argument(help="Which halt, counted from 1; 0 is the newest.", min=0)]


def command(number: Number = 0, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Make the incident report from the journal alone, as HTML, PDF and plain text.

    The scheduler does it by itself five minutes after a halt, and again when everything is closed.
    """
    loaded, state = configured(config)
    clock = SystemClock()
    incident = load_incident(state.journal, number)
    reports = reports_of(loaded)
    made = make_incident(state.journal, reports, incident.number, caps_of(loaded), incident.last_at, clock)
    if as_json:
        say_json({**asdict(made), "summary": in_short(incident)})
        return
    say(in_short(incident), f"The report: {made.html}, {made.pdf.name} and {made.text.name} beside it.")
    if made.problem:
        say(f"Only plain text could be made: {made.problem}.")
