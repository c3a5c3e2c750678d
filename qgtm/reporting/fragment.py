"""Pieces of a report: HTML that a notebook shows and that page and paper are both made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from qgtm.views.words import dollars


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of HTML; Jupyter shows it as the last value of a cell."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return "(see the rendered page)"


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its title, its share of the width in percent, and whether it holds numbers."""

    title: str
    width: int
    is_number: bool = False


def gain(amount: Decimal, *, cents: bool = True) -> str:
    """Return an amount with its sign, coloured as well: green above zero, red below."""
    text = dollars(amount, cents=cents)
    if text.strip("$0.,") in ("", "−"):
        return text
    return f'<span class="loss">{text}</span>' if amount < 0 else f'<span class="gain">+{text}</span>'


def paragraph(text: str, name: str = "") -> str:
    """Return HTML text as a paragraph, in a block of class `name` if one is given."""
    return f'<div class="{name}"><p>{text}</p></div>' if name else f"<p>{text}</p>"


def told(*texts: str, name: str = "") -> Fragment:
    """Return sentences, one paragraph each, escaped; text in backticks is set as code."""
    return Fragment("\n".join(paragraph(coded(text), name) for text in texts))


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], total: Sequence[str] = ()) -> str:
    """Return a table; cells are HTML already. `total` is its last line, below a rule."""
    widths = "".join(f'<col style="width:{column.width}%">' for column in columns)
    head = _row(columns, [escape(column.title) for column in columns], "th")
    body = "\n".join(_row(columns, row, "td") for row in rows)
    foot = f"\n<tfoot>{_row(columns, total, 'td')}</tfoot>" if total else ""
    return (
        f'<div class="table"><table class="of-{len(columns)}"><colgroup>{widths}</colgroup>\n'
        f"<thead>{head}</thead>\n"
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def _row(columns: Sequence[Column], cells: Sequence[str], tag: str) -> str:
    styles = ["text-align:right" if column.is_number else "text-align:left" for column in columns]
    inner = "".join(
        f'<{tag} style="{style}">{cell}</{tag}>' for style, cell in zip(styles, cells, strict=True)
    )
    return f"<tr>{inner}</tr>"


def tiles(rows: Iterable[tuple[str, str, str]]) -> Fragment:
    """Return figures in large print: label, value (HTML), and a word on each."""
    inner = "".join(
        f'<div class="tile">{paragraph(escape(label))}{paragraph(value)}{paragraph(escape(word))}</div>'
        for label, value, word in rows
    )
    return Fragment(f'<div class="tiles">{inner}</div>')


def listed(items: Iterable[tuple[str, str]]) -> Fragment:
    """Return a list of facts, each with the next step; text in backticks is set as code."""
    inner = "".join(f"<li><p><strong>{coded(fact)}</strong> {coded(step)}</p></li>" for fact, step in items)
    return Fragment(f'<ol class="actions">{inner}</ol>')


def coded(text: str) -> str:
    """Return text as HTML, escaped; what stands in backticks is set as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
