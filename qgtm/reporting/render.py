"""From a notebook that has run to one page and one paper: HTML that needs no network, PDF by wheels alone.

`python -m qgtm.reporting.render FOLDER` does it in a process of its own, so that its time can be limited:
FOLDER holds `review.ipynb` and `heading.json`, and gets `report.html` and `report.pdf`.
"""

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.files import write_atomic
from qgtm.core.errors import ReportError
from qgtm.reporting.picture import GAIN, GOLD, GRID, INK, LOSS

TEMPLATE: Final = Path(__file__).parent / "template"
NOTEBOOK: Final = "review.ipynb"
HEADING: Final = "heading.json"
HTML: Final = "report.html"
PDF: Final = "report.pdf"
# The page recolours the pictures with itself, in the dark too; the paper keeps the colours as drawn.
COLOURS: Final = {
    INK: "var(--ink)",
    GRID: "var(--rule)",
    GOLD: "var(--gold)",
    GAIN: "var(--gain)",
    LOSS: "var(--loss)",
}
SVG: Final = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
MAIN: Final = re.compile(r"<main>(.*)</main>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands around a report: title, period, a notice if there is one, and the foot's lines."""

    title: str
    subtitle: str
    footer: tuple[str, ...]
    notice: str = ""

    def text(self) -> str:
        """Return the heading as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def heading_from(text: str) -> Heading:
    """Return the heading that `Heading.text` wrote."""
    fields = json.loads(text)
    return Heading(**{**fields, "footer": tuple(fields["footer"])})


def css() -> str:
    """Return the page's style."""
    return (TEMPLATE / "report.css").read_text(encoding="utf-8")


def page(notebook: Path, heading: Heading) -> str:
    """Return the report as one HTML file: code hidden, formulas as MathML, pictures inline, nothing fetched.

    Raises ReportError when the notebook cannot be read.
    """
    import nbformat
    from nbconvert.exporters.templateexporter import TemplateExporter

    try:
        node = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as problem:
        raise ReportError(f"{notebook} cannot be read ({problem}); run `make report` again.") from problem
    exporter = TemplateExporter(  # type: ignore[no-untyped-call]
        template_name="qgtm",
        file_extension=".html",
        extra_template_basedirs=[str(TEMPLATE)],
        filters={"typeset": typeset, "shown": shown},
    )
    resources = {"heading": asdict(heading), "css": css()}
    text, _ = exporter.from_notebook_node(node, resources=resources)
    return SVG.sub(_recoloured, str(text))


def typeset(source: str) -> str:
    """Return Markdown as HTML, its formulas as MathML."""
    import pypandoc

    made = pypandoc.convert_text(
        source, "html", format="markdown-auto_identifiers", extra_args=["--mathml", "--wrap=none"]
    )
    return str(made)


def shown(output: Mapping[str, Any]) -> str:
    """Return a cell's output as HTML: what the house's own pieces made, else its text."""
    found: Mapping[str, Any] = output.get("data", {})
    if "text/html" in found:
        return str(found["text/html"])
    text = str(found.get("text/plain", output.get("text", "")))
    return "" if text in ("", "None") else f"<pre>{escape(text)}</pre>"


def _recoloured(svg: re.Match[str]) -> str:
    text = svg[0]
    for colour, name in COLOURS.items():
        text = text.replace(colour, name)
    return text


def paper(html: str, heading: Heading) -> bytes:
    """Return the same report as PDF, made from the page's own HTML. Raises ReportError when it cannot be."""
    body = MAIN.search(html)
    if body is None:
        raise ReportError("the page has no <main>; mend qgtm/reporting/template/qgtm/index.html.j2.")
    with tempfile.TemporaryDirectory(prefix="qgtm-paper-") as folder:
        return typeset_pdf(_typst_from(body[1], Path(folder)), heading, Path(folder))


def _typst_from(body: str, folder: Path) -> str:
    import pypandoc

    for number, svg in enumerate(SVG.findall(body)):
        (folder / f"picture-{number}.svg").write_text(_on_paper(svg), encoding="utf-8")
        body = body.replace(svg, f'<img src="picture-{number}.svg">', 1)
    body = re.sub(r' role="img" aria-label="[^"]*"', "", body)
    extra = ["--wrap=none", f"--lua-filter={TEMPLATE / 'report.lua'}"]
    return str(pypandoc.convert_text(body, "typst", format="html", extra_args=extra))


def _on_paper(svg: str) -> str:
    for colour, name in COLOURS.items():
        svg = svg.replace(name, colour)
    return svg.replace("<svg ", '<svg font-family="Libertinus Serif" ', 1)


def typeset_pdf(body: str, heading: Heading, folder: Path) -> bytes:
    """Return the PDF of a body in Typst's language, under the house's layout. Raises ReportError."""
    made: bytes = _compiled(body, heading, folder, format="pdf")
    return made


def first_page(html: str, heading: Heading, ppi: float) -> bytes:
    """Return the first page of the paper as PNG, for a README. Raises ReportError when it cannot be made."""
    body = MAIN.search(html)
    with tempfile.TemporaryDirectory(prefix="qgtm-paper-") as folder:
        typst_body = _typst_from(body[1] if body else "", Path(folder))
        pages: list[bytes] = _compiled(typst_body, heading, Path(folder), format="png", ppi=ppi)
    return pages[0]


def _compiled(body: str, heading: Heading, folder: Path, **how: Any) -> Any:
    import typst

    source = folder / "report.typ"
    source.write_text((TEMPLATE / "report.typ").read_text(encoding="utf-8") + body, encoding="utf-8")
    words = {
        "title": heading.title,
        "subtitle": heading.subtitle,
        "notice": heading.notice,
        "footer": "\n".join(heading.footer),
    }
    try:
        return typst.compile(str(source), root=str(folder), sys_inputs=words, ignore_system_fonts=True, **how)
    except typst.TypstError as problem:
        raise ReportError(
            f"the PDF could not be set ({problem}); mend qgtm/reporting/template/report.typ."
        ) from problem


def render(folder: Path) -> None:
    """Make `report.html` and `report.pdf` in a run's folder. Raises ReportError with the next step."""
    heading = heading_from((folder / HEADING).read_text(encoding="utf-8"))
    html = page(folder / NOTEBOOK, heading)
    write_atomic(folder / HTML, html.encode())
    write_atomic(folder / PDF, paper(html, heading))


if __name__ == "__main__":
    try:
        render(Path(sys.argv[1]))
    except ReportError as refusal:
        sys.exit(str(refusal))
