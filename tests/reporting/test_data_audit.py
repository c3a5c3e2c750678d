"""The audit of data: every planted fault is found where it was planted, and clean data gives no finding."""

import csv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from qgtm.adapters.calendar import xnys
from qgtm.adapters.lake import Lake, LakeWriter
from qgtm.adapters.publication import is_described, published_at
from qgtm.core.bar import Bar, BarSet
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.universe import LEVERAGE, SECTOR
from qgtm.reporting.data_audit import DataAudit, audit_folder, audit_lake
from qgtm.reporting.data_finding import Fault, Severity
from qgtm.reporting.data_page import data_page

SYMBOLS = (
    "GLD",
    "IAU",
    "SLV",
    "SIVR",
    "PPLT",
    "GDX",
    "GDXJ",
    "SIL",
    "UGL",
    "AGQ",
    "NUGT",
    "SPY",
    "TLT",
    "HYG",
)
AT = 200  # the row at which faults are planted
Row = dict[str, object]


@dataclass
class Files:
    """A folder of files in memory: rows as they are written, faults and all."""

    days: list[date]
    bars: dict[str, list[Row]] = field(default_factory=dict)
    series: dict[str, list[Row]] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        for folder, tables in (("bars", self.bars), ("fred", self.series)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            for name, rows in tables.items():
                with (root / folder / f"{name}.csv").open("w", newline="") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(rows)
        return root


def clean(seed: int, sessions: int = 500) -> Files:
    """Return a market with fat tails, crashes and clusters of volatility, and series beside it."""
    rng = np.random.default_rng(seed)
    days = [each.day for each in xnys().sessions(date(2020, 8, 3), date(2024, 8, 3))][:sessions]
    files = Files(days)
    vol = 0.01 * np.exp(0.5 * np.cumsum(rng.normal(0, 0.05, sessions)))
    common = vol * rng.standard_t(4, sessions)
    common[sessions // 2] = -0.09  # a crash that all of them feel
    metal: dict[str, np.ndarray] = {}
    for symbol in SYMBOLS:
        sector = SECTOR.get(symbol, symbol)
        if sector not in metal:
            metal[sector] = common * rng.uniform(0.8, 1.6) + 0.004 * rng.standard_t(5, sessions)
        own = 0.0004 if symbol in ("IAU", "SIVR") else 0.0 if symbol in ("GLD", "SLV") else 0.003
        base = metal[{"leveraged": "gold"}.get(sector, sector)] if sector == "leveraged" else metal[sector]
        moves = LEVERAGE.get(symbol, 1) * base + own * rng.standard_normal(sessions)
        files.bars[symbol] = bars_of(rng, days, 50.0 * np.exp(np.cumsum(moves)))
    yields = {name: 1.0 + np.cumsum(rng.normal(0, 0.04, sessions)) for name in ("DGS2", "DFII10")}
    yields["DGS10"] = yields["DGS2"] + 0.8 + 0.1 * np.cumsum(rng.normal(0, 0.1, sessions))
    rounded = {name: np.round(values, 2) for name, values in yields.items()}
    rounded["T10Y2Y"] = np.round(rounded["DGS10"] - rounded["DGS2"], 2)
    rounded["VIXCLS"] = np.round(18 * np.exp(pulled_back(0.07 * rng.standard_t(5, sessions))), 2)
    rounded["DTWEXBGS"] = np.round(110 * np.exp(np.cumsum(rng.normal(0, 0.003, sessions))), 4)
    for name, values in rounded.items():
        files.series[name] = [
            {"date": day, "value": value}
            for day, value in zip(days, values, strict=True)
            if is_described(name, day)
        ]
    return files


def pulled_back(moves: np.ndarray) -> np.ndarray:
    level, levels = 0.0, []
    for move in moves:
        level = 0.95 * level + move
        levels.append(level)
    return np.array(levels)


def bars_of(rng: np.random.Generator, days: list[date], close: np.ndarray) -> list[Row]:
    open_ = close * np.exp(rng.normal(0, 0.003, len(days)))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.004, len(days))))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.004, len(days))))
    volume = np.round(1e6 * np.exp(rng.normal(0, 0.5, len(days))))
    cents = [np.round(each, 4) for each in (open_, high, low, close)]
    return [
        {"date": d, "open": o, "high": h, "low": lo, "close": c, "volume": v}
        for d, o, h, lo, c, v in zip(days, *cents, volume, strict=True)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_clean_data_gives_no_finding(tmp_path: Path, seed: int) -> None:
    audit = audit_folder(clean(seed).write(tmp_path))
    assert [(f.fault, f.subject, f.evidence) for f in audit.findings] == []
    assert audit.looked_at == ("bars: 14 symbols, 7,000 bars", "fred: 6 series, 2,970 values")


# --- faults, each planted into otherwise clean data ---------------------------------------------------

Plant = Callable[[Files], None]


def scale(rows: list[Row], first: int, last: int, factor: float, *fields: str) -> None:
    for row in rows[first:last]:
        for name in fields or ("open", "high", "low", "close"):
            row[name] = float(row[name]) * factor  # type: ignore[arg-type]


def spike(files: Files) -> None:
    scale(files.bars["GLD"], AT, AT + 1, 10.0)


def slip(files: Files) -> None:
    scale(files.bars["TLT"], AT, AT + 1, 0.01)


def small_spike(files: Files) -> None:
    scale(files.bars["SLV"], AT, AT + 1, 1.4)


def last_spike(files: Files) -> None:
    scale(files.bars["GDX"], len(files.days) - 1, len(files.days), 10.0)


def bad_wick(files: Files) -> None:
    scale(files.bars["SIL"], AT, AT + 1, 3.0, "high")


def unadjusted_split(files: Files) -> None:
    scale(files.bars["GDXJ"], AT, len(files.days), 0.25)


def cents(files: Files) -> None:
    scale(files.bars["SPY"], AT, len(files.days), 100.0)


def volume_in_lots(files: Files) -> None:
    scale(files.bars["HYG"], AT, len(files.days), 0.01, "volume")


def hole(files: Files) -> None:
    del files.bars["PPLT"][AT : AT + 3]


def long_hole(files: Files) -> None:
    del files.bars["AGQ"][AT : AT + 40]


def twice(files: Files) -> None:
    rows = files.bars["IAU"]
    rows.insert(AT, dict(rows[AT]))


def twice_and_other(files: Files) -> None:
    rows = files.bars["IAU"]
    rows.insert(AT, {**rows[AT], "close": rows[AT]["low"]})


def disorder(files: Files) -> None:
    rows = files.bars["UGL"]
    rows[AT], rows[AT + 1] = rows[AT + 1], rows[AT]


def inverted(files: Files) -> None:
    row = files.bars["NUGT"][AT]
    row["high"], row["low"] = row["low"], row["high"]


def negative(files: Files) -> None:
    files.bars["NUGT"][AT]["close"] = -3.0


def not_a_number(files: Files) -> None:
    files.bars["NUGT"][AT]["open"] = "nan"


def negative_volume(files: Files) -> None:
    files.bars["NUGT"][AT]["volume"] = -5


def idle(files: Files) -> None:
    files.bars["PPLT"][AT]["volume"] = 0


def sunday(files: Files) -> None:
    rows = files.bars["GLD"]
    rows.insert(AT, {**rows[AT], "date": files.days[AT] - timedelta(days=files.days[AT].weekday() + 1)})


def stray_start(files: Files) -> None:
    rows = files.bars["SPY"]
    rows.insert(0, {**rows[0], "date": date(2018, 11, 1)})


def ends(files: Files) -> None:
    del files.bars["TLT"][-30:]


def renamed(files: Files) -> None:
    files.bars["SIVR"] = [
        {("last" if k == "close" else k): v for k, v in row.items()} for row in files.bars["SIVR"]
    ]


def new_field(files: Files) -> None:
    files.bars["SIVR"] = [{**row, "vwap2": 1.0} for row in files.bars["SIVR"]]


def filled_bars(files: Files) -> None:
    rows = files.bars["TLT"]
    for name in ("open", "high", "low", "close"):
        line = np.linspace(float(rows[AT][name]), float(rows[AT + 4][name]), 5)  # type: ignore[arg-type]
        for at, value in enumerate(line):
            rows[AT + at][name] = value


def carried_bar(files: Files) -> None:
    rows = files.bars["TLT"]
    rows[AT] = {**rows[AT - 1], "date": rows[AT]["date"]}


def wrapper_apart(files: Files) -> None:
    scale(files.bars["IAU"], AT, len(files.days), 1.06)


def adjusted_wobbles(files: Files) -> None:
    for at, row in enumerate(files.bars["SPY"]):
        row["adj_close"] = float(row["close"]) * (1.0 if at != AT else 0.97)  # type: ignore[arg-type]


def adjusted_missed_split(files: Files) -> None:
    for at, row in enumerate(files.bars["SPY"]):
        row["adj_close"] = float(row["close"]) * (0.5 if at < AT else 1.0)  # type: ignore[arg-type]


def series_spike(files: Files) -> None:
    files.series["DFII10"][AT]["value"] = 15.1


def series_unit(files: Files) -> None:
    for row in files.series["DGS10"][AT:]:
        row["value"] = round(float(row["value"]) * 100, 1)  # type: ignore[arg-type]


def series_fraction(files: Files) -> None:
    for row in files.series["DGS2"][AT:]:
        row["value"] = float(row["value"]) / 100  # type: ignore[arg-type]


def index_rebased(files: Files) -> None:
    for row in files.series["DTWEXBGS"][AT:]:
        row["value"] = round(float(row["value"]) * 10, 3)  # type: ignore[arg-type]


def series_hole(files: Files) -> None:
    del files.series["VIXCLS"][AT : AT + 2]


def series_blank(files: Files) -> None:
    files.series["VIXCLS"][AT]["value"] = "."


def series_filled(files: Files) -> None:
    rows = files.series["DFII10"]
    start, end = float(rows[AT]["value"]), float(rows[AT + 3]["value"])  # type: ignore[arg-type]
    end += 0.01 * (round(100 * (end - start)) % 3 == 0)  # or the thirds are hundredths themselves
    rows[AT + 3]["value"] = end
    rows[AT + 1]["value"] = start + (end - start) / 3
    rows[AT + 2]["value"] = start + 2 * (end - start) / 3


def index_filled(files: Files) -> None:
    rows = files.series["DTWEXBGS"]
    line = np.linspace(float(rows[AT]["value"]), float(rows[AT + 12]["value"]), 13)  # type: ignore[arg-type]
    for at, value in enumerate(line):
        rows[AT + at]["value"] = value


def series_stuck(files: Files) -> None:
    rows = files.series["VIXCLS"]
    for row in rows[AT : AT + 18]:
        row["value"] = rows[AT]["value"]


def series_twice(files: Files) -> None:
    rows = files.series["DGS2"]
    rows.insert(AT, {**rows[AT], "value": 9.0})


def saturday(files: Files) -> None:
    rows = files.series["DGS2"]
    day = files.days[AT]
    rows.insert(AT, {"date": day - timedelta(days=day.weekday() + 2), "value": rows[AT]["value"]})
    rows.sort(key=lambda row: str(row["date"]))


def series_ends(files: Files) -> None:
    del files.series["VIXCLS"][-150:]


def does_not_add_up(files: Files) -> None:
    for row in files.series["T10Y2Y"][AT : AT + 5]:
        row["value"] = round(float(row["value"]) + 0.1, 2)  # type: ignore[arg-type]


PLANTS: list[tuple[Plant, str, Fault]] = [
    (spike, "GLD", Fault.OUTLIER),
    (slip, "TLT", Fault.OUTLIER),
    (small_spike, "SLV", Fault.OUTLIER),
    (last_spike, "GDX", Fault.OUTLIER),
    (bad_wick, "SIL", Fault.OUTLIER),
    (unadjusted_split, "GDXJ", Fault.UNIT),
    (cents, "SPY", Fault.UNIT),
    (volume_in_lots, "HYG", Fault.UNIT),
    (hole, "PPLT", Fault.GAP),
    (long_hole, "AGQ", Fault.GAP),
    (twice, "IAU", Fault.DUPLICATE),
    (twice_and_other, "IAU", Fault.DUPLICATE),
    (disorder, "UGL", Fault.DUPLICATE),
    (inverted, "NUGT", Fault.NONSENSE),
    (negative, "NUGT", Fault.NONSENSE),
    (not_a_number, "NUGT", Fault.NONSENSE),
    (negative_volume, "NUGT", Fault.NONSENSE),
    (idle, "PPLT", Fault.NO_TRADE),
    (sunday, "GLD", Fault.STRAY),
    (stray_start, "SPY", Fault.STRAY),
    (ends, "TLT", Fault.ENDS),
    (renamed, "SIVR", Fault.FIELD),
    (new_field, "SIVR", Fault.FIELD),
    (filled_bars, "TLT", Fault.INTERPOLATED),
    (carried_bar, "TLT", Fault.INTERPOLATED),
    (wrapper_apart, "IAU", Fault.CROSS),
    (adjusted_wobbles, "SPY", Fault.ADJUSTED),
    (adjusted_missed_split, "SPY", Fault.ADJUSTED),
    (series_spike, "DFII10", Fault.OUTLIER),
    (series_unit, "DGS10", Fault.UNIT),
    (series_fraction, "DGS2", Fault.UNIT),
    (index_rebased, "DTWEXBGS", Fault.UNIT),
    (series_hole, "VIXCLS", Fault.GAP),
    (series_blank, "VIXCLS", Fault.GAP),
    (series_filled, "DFII10", Fault.INTERPOLATED),
    (index_filled, "DTWEXBGS", Fault.INTERPOLATED),
    (series_stuck, "VIXCLS", Fault.INTERPOLATED),
    (series_twice, "DGS2", Fault.DUPLICATE),
    (saturday, "DGS2", Fault.STRAY),
    (series_ends, "VIXCLS", Fault.ENDS),
    (does_not_add_up, "T10Y2Y", Fault.CROSS),
]  # fmt: skip
# A fault of one number shows elsewhere as well: a spike in a wrapper's peer, a yield in what it adds up to.
ALSO = {Fault.CROSS, Fault.GAP, Fault.UNIT, Fault.OUTLIER}


@pytest.mark.fault("E3", "E4", "E6", "E13")
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("plant", "subject", "fault"), PLANTS, ids=[p.__name__ for p, *_ in PLANTS])
def test_planted_fault_is_found_where_it_was_planted(
    tmp_path: Path, plant: Plant, subject: str, fault: Fault, seed: int
) -> None:
    files = clean(seed)
    plant(files)
    findings = audit_folder(files.write(tmp_path)).findings
    assert (subject, fault) in {(f.subject, f.fault) for f in findings}, findings
    hit = next(f for f in findings if (f.subject, f.fault) == (subject, fault))
    assert hit.evidence
    assert hit.cure
    if hit.start is not None and plant not in (stray_start, ends, series_ends, saturday):
        assert abs((hit.start - files.days[AT]).days) <= 40 or plant is last_spike
    assert {f.fault for f in findings if f.subject != subject} <= ALSO


def test_same_fault_has_the_same_id_and_another_one_another(tmp_path: Path) -> None:
    files = clean(1)
    spike(files)
    once, again = audit_folder(files.write(tmp_path / "a")), audit_folder(files.write(tmp_path / "b"))
    assert [f.id for f in once.findings] == [f.id for f in again.findings]
    hole(files)
    assert len({f.id for f in audit_folder(files.write(tmp_path / "c")).findings}) > len(once.findings)


def test_crash_that_all_feel_is_no_fault_and_the_same_in_one_alone_is(tmp_path: Path) -> None:
    files = clean(3)
    for rows in files.bars.values():
        scale(rows, AT, AT + 1, 0.6)
    assert not [f for f in audit_folder(files.write(tmp_path / "all")).findings if f.fault is Fault.OUTLIER]
    files = clean(3)
    scale(files.bars["PPLT"], AT, AT + 1, 0.6)
    found = audit_folder(files.write(tmp_path / "one")).findings
    assert [(f.subject, f.fault) for f in found] == [("PPLT", Fault.OUTLIER)]


def test_page_says_what_was_found_and_escapes_it(tmp_path: Path) -> None:
    files = clean(1)
    new_field(files)
    files.bars["SIVR"] = [{**row, "<script>": 1.0} for row in files.bars["SIVR"]]
    audit = audit_folder(files.write(tmp_path))
    page = data_page(audit, datetime(2023, 3, 1, tzinfo=UTC))
    assert "SIVR" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert audit.findings[0].id in page


def test_clean_page_says_so(tmp_path: Path) -> None:
    assert "Nothing was found." in data_page(
        audit_folder(clean(1).write(tmp_path)), datetime(2023, 3, 1, tzinfo=UTC)
    )


def test_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"holds no \.csv"):
        audit_folder(tmp_path)


def test_file_that_is_no_table_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    root = clean(1).write(tmp_path)
    (root / "bars" / "GLL.parquet").write_bytes(b"PAR1 no")
    (root / "cot").mkdir()
    with zipfile.ZipFile(root / "cot" / "fut_disagg_txt_2017.zip", "w") as file:
        file.writestr("f_year.txt", "a,b\n1,2\n")
    found = audit_folder(root)
    assert [(f.subject, f.fault, f.severity) for f in found.findings] == [
        ("GLL", Fault.FIELD, Severity.RED), ("fut_disagg_txt_2017", Fault.FIELD, Severity.RED),
    ]  # fmt: skip
    assert len(found.looked_at) == 2


# --- the store -------------------------------------------------------------------------------------

START, END = date(2021, 1, 4), date(2022, 6, 30)
NOW = datetime(2022, 7, 9, tzinfo=UTC)


def facts(seed: int) -> list[Fact]:
    rng = np.random.default_rng(seed)
    found: list[Fact] = []
    days = [START + timedelta(days=n) for n in range((END - START).days + 1)]
    for name, level, step in (("DFII10", 1.0, 0.04), ("WALCL", 8e6, 2e4), ("COT_GOLD_OI", 5e5, 9e3)):
        value = level
        for day in days:
            if is_described(name, day):
                value += step * rng.standard_normal()
                at = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
                known_at = published_at(name, day)
                digits = 2 if level < 10 else 0
                found.append(Fact(name, at, known_at, round(value, digits)))
                if name == "WALCL" and rng.random() < 0.2:
                    again = round(value * (1 + 0.0005 * rng.standard_normal()))
                    found.append(Fact(name, at, known_at + timedelta(days=7), again))
    return found


def stored(root: Path, every: list[Fact], sets: list[BarSet] | None = None) -> DataAudit:
    with LakeWriter(root) as writer:
        writer.append(every)
        writer.append_bars(sets or [])
        return audit_lake(writer, NOW)


@pytest.mark.parametrize("seed", range(6))
def test_clean_store_gives_no_finding(tmp_path: Path, seed: int) -> None:
    assert stored(tmp_path, facts(seed)).findings == ()


def test_value_that_is_known_before_its_publication_is_a_leak(tmp_path: Path) -> None:
    every = facts(1)
    early = [Fact(f.series, f.at, f.at, f.value) if f.series == "COT_GOLD_OI" else f for f in every]
    (found,) = stored(tmp_path, early).findings
    assert (found.fault, found.severity, found.subject) == (Fault.VINTAGE, Severity.RED, "COT_GOLD_OI")


def test_great_revision_is_told_and_a_usual_one_is_not(tmp_path: Path) -> None:
    every = facts(1)
    last = [f for f in every if f.series == "DFII10"][AT]
    revised = Fact("DFII10", last.at, last.known_at + timedelta(days=5), last.value + 0.05)
    (found,) = stored(tmp_path, [*every, revised]).findings
    assert (found.fault, found.subject, found.count) == (Fault.VINTAGE, "DFII10", 1)


def test_revisions_that_all_go_one_way_are_told(tmp_path: Path) -> None:
    every = facts(1)
    firsts = {f.at: f for f in reversed(every) if f.series == "WALCL"}
    drift = [
        Fact("WALCL", at, first.known_at + timedelta(days=9), first.value + 2000)
        for at, first in firsts.items()
    ]
    (found,) = stored(tmp_path, [*(f for f in every if f not in drift), *drift]).findings
    assert (found.fault, found.subject) == (Fault.VINTAGE, "WALCL")
    assert "revisions go up" in found.evidence


def test_torn_file_of_the_store_is_a_finding(tmp_path: Path) -> None:
    stored(tmp_path, facts(1))
    (path,) = (tmp_path / "facts").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    (found,) = audit_lake(Lake(tmp_path), NOW).findings
    assert (found.fault, found.severity) == (Fault.FILE, Severity.RED)


def test_split_in_raw_bars_is_no_fault_once_its_action_is_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sessions = xnys().sessions(START, END)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, len(sessions))))
    close[AT:] /= 4
    wide = 1.002 + 0.01 * rng.random(len(close))
    sets = [
        BarSet(
            session=s.day,
            known_at=s.close_at,
            bars={
                "GLD": Bar(
                    symbol="GLD", session=s.day, known_at=s.close_at, open=c * 0.999, high=c * u, low=c / u,
                    close=c, volume=1e6 * u,
                )
            },
        )
        for s, c, u in zip(sessions, close.tolist(), wide.tolist(), strict=True)
    ]  # fmt: skip
    found = stored(tmp_path, [], sets).findings
    assert [(f.subject, f.fault, f.start) for f in found] == [("GLD", Fault.UNIT, sessions[AT].day)]
    with LakeWriter(tmp_path) as writer:
        day = sessions[AT].day
        writer.append_actions([CorporateAction("GLD", ActionKind.SPLIT, day, sessions[AT].open_at, 4.0)])
        assert audit_lake(writer, NOW).findings == ()


# --- what lies there --------------------------------------------------------------------------------


def test_real_files_hold_what_their_readme_warns_of(shared_data: Path) -> None:
    audit = audit_folder(shared_data)
    found = {(f.source, f.subject, f.fault) for f in audit.findings}
    assert ("bars_2020_2023", "PALL", Fault.NO_TRADE) in found
    assert ("bars_2020_2023", "RING", Fault.NO_TRADE) in found
    assert ("bars_2020_2023", "SPY", Fault.STRAY) in found
    thin = {s for b, s, f in found if f is Fault.GAP and b == "bars_2020_2023"}
    assert thin >= set("PALL GLL CPER ZSL RING UGL SLVP".split())
    assert ("fred", "T10YIE", Fault.ENDS) in found
    assert ("cot", "fut_disagg_txt_2018", Fault.VINTAGE) in found
    red = [(f.subject, str(f.start)) for f in audit.findings if f.severity is Severity.RED]
    assert red == [("T5YIE", "2008-12-01")]  # two points in a session: the month in which its bond changed
