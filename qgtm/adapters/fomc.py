"""When the Federal Reserve tells its decisions: the days of its scheduled meetings.

Source: the Board of Governors, "Meeting calendars, statements, and minutes" (federalreserve.gov,
monetarypolicy, fomccalendars.htm); 2025 and 2026 as announced on 2024-08-09, 2027 on 2025-09-05. March
2020 is not in it: that meeting was brought forward to a Sunday. The statement comes at 14:00 in New York.
"""

from datetime import date, datetime, time
from typing import Final

from qgtm.core.instant import NEW_YORK, aware_utc

TOLD_ET: Final = time(14)
# Year -> month and day of each decision.
_DAYS: Final[dict[int, str]] = {
    2015: "0128 0318 0429 0617 0729 0917 1028 1216",
    2016: "0127 0316 0427 0615 0727 0921 1102 1214",
    2017: "0201 0315 0503 0614 0726 0920 1101 1213",
    2018: "0131 0321 0502 0613 0801 0926 1108 1219",
    2019: "0130 0320 0501 0619 0731 0918 1030 1211",
    2020: "0129 0429 0610 0729 0916 1105 1216",
    2021: "0127 0317 0428 0616 0728 0922 1103 1215",
    2022: "0126 0316 0504 0615 0727 0921 1102 1214",
    2023: "0201 0322 0503 0614 0726 0920 1101 1213",
    2024: "0131 0320 0501 0612 0731 0918 1107 1218",
    2025: "0129 0319 0507 0618 0730 0917 1029 1210",
    2026: "0128 0318 0429 0617 0729 0916 1028 1209",
    2027: "0127 0317 0428 0609 0728 0915 1027 1208",
}
DECISIONS: Final[tuple[date, ...]] = tuple(
    date(year, int(each[:2]), int(each[2:])) for year, days in _DAYS.items() for each in days.split()
)


def decided_at(day: date) -> datetime:
    """Return when a decision is told on its day, in UTC."""
    return aware_utc(datetime.combine(day, TOLD_ET, NEW_YORK))
