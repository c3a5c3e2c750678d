"""The last resort: a page and a paper from plain text by the standard library alone."""

import textwrap
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

COLUMNS: Final = 88
LINES: Final = 62
FONT_SIZE: Final = 9
LEADING: Final = 12
TOP: Final = 790  # points from the bottom of an A4 page


def plain_html(title: str, text: str) -> str:
    """Return a page that holds nothing but text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head>\n<body><h1>{escape(title)}</h1>\n"
        f'<pre style="white-space:pre-wrap">{escape(text)}</pre></body></html>\n'
    )


def plain_pdf(title: str, text: str) -> bytes:
    """Return a PDF of text in Courier; a letter that Latin-1 lacks becomes a question mark."""
    lines = [title, "", *(part for line in text.splitlines() for part in _wrapped(line))]
    pages = [lines[start : start + LINES] for start in range(0, len(lines), LINES)]
    return _file(list(_objects(pages)))


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, COLUMNS, drop_whitespace=False) or [""]


def _objects(pages: Sequence[Sequence[str]]) -> Iterable[bytes]:
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    yield b"<< /Type /Catalog /Pages 2 0 R >>"
    yield f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()
    yield b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>"
    for number, lines in enumerate(pages):
        yield (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        ).encode()
        drawn = _drawn(lines)
        yield b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn)


def _drawn(lines: Sequence[str]) -> bytes:
    shown = [f"({_escaped(line)}) Tj T*" for line in lines]
    text = "\n".join([f"BT /F1 {FONT_SIZE} Tf {LEADING} TL 56 {TOP} Td", *shown, "ET"])
    return text.encode("cp1252", "replace")


def _escaped(line: str) -> str:
    return line.replace("−", "-").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(objects: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
