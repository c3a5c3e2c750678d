"""FAILED and LATE, down to the last resort: plain text by the standard library alone."""

import re
import zlib
from pathlib import Path

import pytest

from qgtm.adapters.clock import SystemClock
from qgtm.reporting import notice
from qgtm.reporting.notice import Notice, notice_from, page, put
from qgtm.reporting.plain import plain_html, plain_pdf

FAILED = Notice(
    word="FAILED",
    title="Weekly review",
    subtitle="Week 2026-W02",
    lines=(("What", 'ValueError: "GLD" <&> #17 \\ $x$ @y _z_ *b*'), ("In", "weekly_review, cell 4")),
    step="run `make report`",
    detail="Traceback\n\x1b[31m  line\x1b[0m 'x' \"y\" \\n",
    footer=("Journal: 3 rows",),
)


def test_notice_is_set_by_the_house_and_escaped(tmp_path: Path) -> None:
    put(FAILED, tmp_path, SystemClock())
    html = (tmp_path / "report.html").read_text()
    assert "prefers-color-scheme: dark" in html
    assert "<strong>Next step:</strong> run <code>make report</code>" in html
    assert "ValueError: &quot;GLD&quot; &lt;&amp;&gt; #17" in html
    paper = (tmp_path / "report.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert b"/Courier" not in paper


@pytest.mark.fault("K5")
def test_notice_stays_as_plain_text_when_nothing_else_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice.sys, "executable", "/bin/false")
    put(FAILED, tmp_path, SystemClock())
    html = (tmp_path / "report.html").read_text()
    assert "<h1>FAILED: Weekly review</h1>" in html
    assert "Next step: run `make report`" in html
    assert b"(FAILED: Weekly review) Tj" in (tmp_path / "report.pdf").read_bytes()


def test_notice_survives_its_own_file() -> None:
    text = (
        '{"word": "LATE", "title": "t", "subtitle": "s", "lines": [["a", "b"]], "step": "c", "footer": ["d"]}'
    )
    assert notice_from(text).lines == (("a", "b"),)
    assert "LATE" in page(notice_from(text))


def test_plain_pdf_is_whole_and_its_table_points_at_every_object() -> None:
    made = plain_pdf("A title (with) \\ signs", "word " * 2000)
    start = int(re.findall(rb"startxref\n(\d+)", made)[0])
    assert made[start:].startswith(b"xref")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", made)]
    assert [made[place:].split(b" ", 1)[0] for place in places] == [
        b"%d" % n for n in range(1, len(places) + 1)
    ]
    assert made.count(b"/Type /Page ") == 2
    assert rb"A title \(with\) \\ signs" in made


def test_plain_text_with_letters_that_latin_lacks_is_still_made() -> None:
    assert b"?" in plain_pdf("日本", "−3 €")
    assert "日本 &lt;b&gt;" in plain_html("日本 <b>", "")
    assert zlib.crc32(plain_pdf("a", "b")) == zlib.crc32(plain_pdf("a", "b"))
