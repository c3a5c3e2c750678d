"""The audit of data as one page without scripts: what was looked at, what was found, what to do."""

from datetime import datetime
from html import escape
from typing import Any, Final

from qgtm.core.instant import NEW_YORK
from qgtm.reporting.data_audit import DataAudit
from qgtm.reporting.data_finding import Finding, Severity

STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #8885; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.red { color: #c62828; font-weight: 600; } .yellow { color: #9a6700; font-weight: 600; }
@media (prefers-color-scheme: dark) { .red { color: #ff8a80; } .yellow { color: #ffd54f; } }
"""
HEAD: Final = ("severity", "fault", "subject", "source", "rows", "evidence", "what to do", "id")


def data_page(audit: DataAudit, now: datetime) -> str:
    """Return the page."""
    when = f"{now.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
    looked = "".join(f"<li>{escape(each)}</li>" for each in audit.looked_at)
    over = f"<p>Not judged: {escape(', '.join(audit.passed_over))}.</p>" if audit.passed_over else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of data</title><style>{STYLE}</style></head><body><h1>Audit of data</h1>"
        f"<p>{when}. {escape(summed_up(audit))}</p><ul>{looked}</ul>{_table(audit)}{over}</body></html>\n"
    )


def audit_fields(audit: DataAudit) -> dict[str, Any]:
    """Return the audit for `--json`."""
    return {
        "looked_at": audit.looked_at,
        "passed_over": audit.passed_over,
        "findings": [
            {
                "id": each.id,
                "severity": each.severity.value,
                "fault": each.fault.value,
                "subject": each.subject,
                "source": each.source,
                "start": each.start,
                "end": each.end,
                "rows": each.count,
                "evidence": each.evidence,
                "cure": each.cure,
            }
            for each in audit.findings
        ],
    }


def summed_up(audit: DataAudit) -> str:
    """Return the counts in a sentence."""
    if not audit.findings:
        return "Nothing was found."
    parts = [
        f"{number} {each.value}"
        for each in Severity
        if (number := sum(found.severity is each for found in audit.findings))
    ]
    return f"{len(audit.findings)} findings: {', '.join(parts)}."


def _table(audit: DataAudit) -> str:
    if not audit.findings:
        return ""
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    return f"<table><tr>{head}</tr>{''.join(map(_row, audit.findings))}</table>"


def _row(found: Finding) -> str:
    cells = (found.fault, found.subject, found.source)
    words = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    told = "".join(f"<td>{escape(cell)}</td>" for cell in (found.evidence, found.cure, found.id))
    severity = found.severity.value
    return f'<tr><td class="{severity}">{severity}</td>{words}<td class="n">{found.count}</td>{told}</tr>'
