"""Write docs/faults.md, or with --check say what of its mapping is not what the tests say."""

import sys
from pathlib import Path

from tests.faults.catalogue import NOT_TESTED
from tests.faults.mapping import collected, untested
from tests.faults.page import mapping_in, page
from tests.faults.result import load_results

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "faults.md"


def checker_invariants() -> frozenset[str]:
    """Return the invariants that the simulation's checker names."""
    import re

    sources = (REPO / "qgtm/simulation/checker").glob("*.py")
    return frozenset(found for path in sources for found in re.findall(r'"(V\d+)"', path.read_text("utf-8")))


def problems(text: str, written: str) -> list[str]:
    """Return what of the page on disk is no longer so, as lines of a diff."""
    was, is_now = mapping_in(written), mapping_in(text)
    return [f"- {row}" for row in was if row not in is_now] + [f"+ {row}" for row in is_now if row not in was]


def main() -> int:
    """Write the page, or check it; return the exit code."""
    mapped = collected(REPO)
    lacking = untested(mapped, NOT_TESTED)
    stale = sorted(set(NOT_TESTED) & set(mapped.cases))
    text = page(mapped, load_results(REPO), checker_invariants())
    said = [f"{each} has neither a test nor a reason in tests/faults/catalogue.py." for each in lacking]
    said += [f"{each} has a test now: take its reason out of tests/faults/catalogue.py." for each in stale]
    if "--check" in sys.argv[1:]:
        said += problems(text, PAGE.read_text("utf-8") if PAGE.is_file() else "")
        said += ["Run `make faults`, and commit docs/faults.md."] if said else []
    else:
        PAGE.write_text(text, "utf-8")
    print("\n".join(said or ["Every row has a test or a reason."]))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
