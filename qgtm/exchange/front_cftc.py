"""The CFTC over the wire: the table of disaggregated reports at Socrata, and the file of a year."""

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Final

from qgtm.exchange.cot_form import AMOUNTS, COLUMNS, HEADER, line_of
from qgtm.exchange.market.positioning import Report
from qgtm.exchange.soql import QueryError, query
from qgtm.exchange.wire import Call, Response

__all__ = ["AMOUNTS", "LIMITED", "PREFIXES", "answer"]

PREFIXES: Final = ("/resource/", "/files/dea/")
LIMITED: Final = Response(429, {"error": True, "message": "Too many requests; use an application token"})
DATASET: Final = "72hh-3qpy"  # disaggregated, futures only
_YEARLY: Final = re.compile(r"/files/dea/history/fut_disagg_txt_(\d{4})\.zip")
_ZIPPED_AT: Final = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is asked for
_HTML: Final = {"Content-Type": "text/html"}


def answer(call: Call) -> Response:
    """Answer a request under `/resource/` or `/files/dea/`."""
    path = call.request.path
    if call.request.method != "GET":
        return _error(405, "method_not_allowed", f"no {call.request.method} here")
    yearly = _YEARLY.fullmatch(path)
    if yearly is not None:
        return _year(call, int(yearly[1]))
    if path != f"/resource/{DATASET}.json":
        return _error(404, "dataset.missing", f"Not found: {path}")
    try:
        return Response(200, query(call.exchange.beside.cot.rows(call.now), _asked(call), COLUMNS), _SOCRATA)
    except QueryError as problem:
        return _error(400, problem.code, str(problem))


def _asked(call: Call) -> dict[str, str]:
    """Return the query without the application token, which buys no more here."""
    return {name: value for name, value in call.request.query.items() if name != "$$app_token"}


def _year(call: Call, year: int) -> Response:
    reports = [r for r in call.exchange.beside.cot.reports(call.now) if r.as_of.year == year]
    if not reports:
        return Response(404, b"<html><body>Page not found</body></html>", _HTML)
    by_market = sorted(reports, key=lambda report: (report.metal.market, -report.as_of.toordinal()))
    return Response(200, _zipped(by_market), {"Content-Type": "application/zip"})


def _zipped(reports: Sequence[Report]) -> bytes:
    lines = [",".join(f'"{name}"' for name in HEADER), *(",".join(_quoted(line_of(r))) for r in reports)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("f_year.txt", _ZIPPED_AT), "\r\n".join(lines) + "\r\n")
    return packed.getvalue()


def _quoted(line: Sequence[str]) -> list[str]:
    """Return a line with its name and its last six texts in quotes, as the Commission writes them."""
    tail = [f'"{text}"' for text in line[-6:]]
    return [f'"{line[0]}"', *line[1:-6], *tail]


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, {"code": code, "error": True, "message": message})


_SOCRATA: Final = {"Content-Type": "application/json;charset=utf-8", "X-SODA2-Data-Out-Of-Date": "false"}
