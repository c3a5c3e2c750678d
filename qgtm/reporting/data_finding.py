"""What an audit of data finds: a sentence of evidence, how bad it is, and what to do."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Final


class Severity(StrEnum):
    """How bad it is: must not be used, has to be looked at, good to know."""

    RED = "red"
    YELLOW = "yellow"
    INFO = "info"


class Fault(StrEnum):
    """The kinds of fault that an audit looks for."""

    FIELD = "field"
    NONSENSE = "nonsense"
    DUPLICATE = "duplicate"
    STRAY = "stray"
    GAP = "gap"
    ENDS = "ends early"
    NO_TRADE = "no trade"
    OUTLIER = "outlier"
    UNIT = "unit"
    INTERPOLATED = "interpolated"
    ADJUSTED = "adjusted against raw"
    CROSS = "cross-source"
    VINTAGE = "vintage"
    FILE = "file"


CURES: Final[dict[Fault, str]] = {
    Fault.FIELD: "compare the vendor's page with the reader; use nothing of it until both agree",
    Fault.NONSENSE: "take these rows out, and ask the vendor for them again",
    Fault.DUPLICATE: "keep the row that a second source bears out, and take the other out",
    Fault.STRAY: "take these rows out: sessions come from the exchange's calendar",
    Fault.GAP: "fetch the missing days again; features stay empty there, nothing is filled in",
    Fault.ENDS: "fetch what is newer, or leave it out of what is tuned past its end",
    Fault.NO_TRADE: "take no price from these rows: nobody traded",
    Fault.OUTLIER: "compare with a second source; release it if it is true, else take it out",
    Fault.UNIT: "find out what the vendor changed that day, and bring both sides to one scale",
    Fault.INTERPOLATED: "take these values out: they are made of later ones",
    Fault.ADJUSTED: "fetch raw prices and corporate actions, and adjust anew",
    Fault.CROSS: "find out which of both is wrong; use neither on these days",
    Fault.VINTAGE: "fetch the vintages again, and test with what was known then",
    Fault.FILE: "fetch its rows again with a back-fill",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of one subject. `evidence` names days and numbers; `count` rows are concerned."""

    fault: Fault
    severity: Severity
    subject: str
    source: str
    start: date | None
    end: date | None
    count: int
    evidence: str

    @property
    def id(self) -> str:
        """Return a short name that is the same as long as the same fault is found."""
        told = f"{self.fault}|{self.subject}|{self.source}|{self.start}|{self.end}"
        return sha256(told.encode()).hexdigest()[:8]

    @property
    def cure(self) -> str:
        """Return what to do."""
        return CURES[self.fault]


ORDER: Final = tuple(Severity)


def by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings, the worst first."""
    return tuple(sorted(findings, key=lambda f: (ORDER.index(f.severity), f.subject, f.fault, str(f.start))))
