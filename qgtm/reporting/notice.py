"""FAILED and LATE: what stands in the place of a report that is not there.

`python -m qgtm.reporting.notice FOLDER` makes page and paper from `notice.json` in a process of its own;
where even that fails, the plain text stays that was put there first.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Final

from qgtm.adapters.files import write_atomic
from qgtm.reporting.child import WaitingClock, start, waited
from qgtm.reporting.fragment import coded
from qgtm.reporting.plain import plain_html, plain_pdf

NOTICE: Final = "notice.json"
HTML: Final = "report.html"
PDF: Final = "report.pdf"
LIMIT_S: Final = 30.0
LOG: Final = "notice.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A page of few words: FAILED or LATE, what is missing, what is known of it, and the next step."""

    word: str
    title: str
    subtitle: str
    lines: tuple[tuple[str, str], ...]
    step: str
    detail: str = ""
    footer: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the notice as plain text."""
        told = [f"{label}: {text}" for label, text in self.lines]
        parts = [self.subtitle, "", *told, "", f"Next step: {self.step}", "", self.detail, "", *self.footer]
        return "\n".join(parts) + "\n"


def notice_from(text: str) -> Notice:
    """Return the notice that `put` wrote as JSON."""
    fields = json.loads(text)
    lines = tuple((label, said) for label, said in fields["lines"])
    return Notice(**{**fields, "lines": lines, "footer": tuple(fields["footer"])})


def put(notice: Notice, folder: Path, clock: WaitingClock) -> None:
    """Write the notice's page and paper into a run's folder, as plain text when nothing else can be made.

    Raises OSError when the folder cannot be written.
    """
    title = f"{notice.word}: {notice.title}"
    write_atomic(folder / HTML, plain_html(title, notice.text()).encode())
    write_atomic(folder / PDF, plain_pdf(title, notice.text()))
    write_atomic(folder / NOTICE, json.dumps(asdict(notice), ensure_ascii=False, indent=2).encode())
    arguments = [sys.executable, "-m", "qgtm.reporting.notice", str(folder)]
    waited(start(arguments, folder / LOG, _environ(os.environ), folder), clock, LIMIT_S)


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, "PYTHONSAFEPATH": "1"}


def page(notice: Notice) -> str:
    """Return the notice as one HTML file in the house's dress."""
    from qgtm.reporting.render import css

    facts = "".join(f"<p><strong>{escape(label)}</strong> {escape(text)}</p>" for label, text in notice.lines)
    detail = f"<h2>What the machine said</h2><pre>{escape(notice.detail)}</pre>" if notice.detail else ""
    foot = "".join(f"<p>{escape(line)}</p>" for line in notice.footer)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{notice.word}: {escape(notice.title)}</title><style>\n{css()}</style></head>\n"
        f'<body><header class="{notice.word.lower()}"><h1><span class="loss">{notice.word}</span> '
        f"{escape(notice.title)}</h1><p>{escape(notice.subtitle)}</p></header>\n"
        f'<main><div class="notice {notice.word.lower()}">{facts}<p><strong>Next step:</strong> '
        f"{coded(notice.step)}</p></div>{detail}</main>\n<footer>{foot}</footer></body></html>\n"
    )


def paper(notice: Notice, folder: Path) -> bytes:
    """Return the notice as PDF. Raises ReportError when it cannot be set."""
    from qgtm.reporting.render import Heading, typeset_pdf

    facts = [f"*{_safe(label)}* {_safe(text)}" for label, text in notice.lines]
    facts.append(f"*Next step:* {_safe_coded(notice.step)}")
    body = "#notice[" + " \\ ".join(facts) + "]\n"
    if notice.detail:
        body += f"\n== What the machine said\n\n#raw(block: true, {_quoted(notice.detail)})\n"
    heading = Heading(title=f"{notice.word}: {notice.title}", subtitle=notice.subtitle, footer=notice.footer)
    return typeset_pdf(body, heading, folder)


def _safe(text: str) -> str:
    return f"#{_quoted(text)}"


def _safe_coded(text: str) -> str:
    """Return Typst of a text; what stands in backticks is set as code."""
    parts = text.split("`")
    return "".join(f"#raw({_quoted(part)})" if n % 2 else _safe(part) for n, part in enumerate(parts))


def _quoted(text: str) -> str:
    """Return a text as Typst's string literal; what cannot be printed is left out."""
    shown = "".join(letter for letter in text if letter == "\n" or letter.isprintable())
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(folder: Path) -> None:
    """Make page and paper of the notice in `folder`."""
    notice = notice_from((folder / NOTICE).read_text(encoding="utf-8"))
    write_atomic(folder / HTML, page(notice).encode())
    write_atomic(folder / PDF, paper(notice, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
