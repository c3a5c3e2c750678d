"""Make the README's picture of the report, and the sample in reports/: `python docs/pictures/report.py`.

A fund trades a made-up market for some months in virtual time; its last week is reviewed by the same pipeline
as every Sunday's. Nothing of it is real money or a real price, and the sample says so.
"""

import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.journal import SqliteJournal
from qgtm.config import load_config
from qgtm.core.instant import NEW_YORK
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.features.history import History
from qgtm.reporting.make import Order, make
from qgtm.reporting.render import NOTEBOOK, first_page, heading_from, page, paper
from qgtm.reporting.run_ledger import DONE, RunLedger
from qgtm.simulation.replay import Replay
from qgtm.strategies import BY_NAME
from qgtm.views.action import Caps

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "pictures" / "report.png"
SAMPLE = ROOT / "reports" / "sample"
WARM_UP = timedelta(days=540)
TRADES = date(2025, 1, 2)
LAST = date(2025, 6, 13)
PPI = 110
SAID = "A sample from a made-up market: no real money, no real prices."


def journal_of_a_made_up_fund(path: Path) -> Path:
    """Trade the synthetic market up to LAST, keep the journal at `path`, and return it."""
    config = load_config(ROOT / "qgtm_config.toml", {})
    market, history = SyntheticMarket(config.exchange.seed), History(SYMBOLS)
    strategies = tuple(BY_NAME[name] for name in config.strategies.enabled)
    desk = Desk(limits=config.limits, strategies=strategies, history=history)
    journal, cash = SqliteJournal(path), Decimal(config.fund.starting_cash_usd)
    replay = Replay(market, desk, history, journal, TRADES, config.exchange.seed, cash)
    replay.warm_up(market.sessions(TRADES - WARM_UP, TRADES - timedelta(days=1)))
    replay.begin()
    for session in market.sessions(TRADES, LAST):
        replay.walk(session)
    journal.close()
    return path


def main() -> None:
    """Write docs/pictures/report.png, reports/sample.html and reports/sample.pdf."""
    with tempfile.TemporaryDirectory(prefix="qgtm-sample-") as name:
        folder = Path(name)
        limits = load_config(ROOT / "qgtm_config.toml", {}).limits
        order = Order(
            journal=journal_of_a_made_up_fund(folder / "journal.db"),
            reports=folder / "reports",
            now=datetime.combine(LAST + timedelta(days=2), datetime.min.time(), NEW_YORK).replace(hour=20),
            caps=Caps(soft_frac=limits.soft_cap_frac, hard_frac=limits.hard_cap_frac),
        )
        run = make(order, SystemClock(), lambda task, state: sys.stdout.write(f"{task}: {state}\n"))
        if run.state != DONE:
            sys.exit(run.failure)
        made = RunLedger(order.reports).folder(run)
        heading = replace(heading_from((made / "heading.json").read_text(encoding="utf-8")), notice=SAID)
        html = page(made / NOTEBOOK, heading)
        SAMPLE.with_suffix(".html").write_text(html, encoding="utf-8")
        SAMPLE.with_suffix(".pdf").write_bytes(paper(html, heading))
        PICTURE.write_bytes(first_page(html, heading, PPI))
        shutil.rmtree(made)


if __name__ == "__main__":
    main()
