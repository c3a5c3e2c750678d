"""Run every benchmark: `make bench`. Arguments name some of them; without any, all run in this order."""

import importlib
import sys

ALL = ("start_up", "step", "peers")


def main() -> int:
    """Run what was asked for and return 0, or 2 for a name that is none."""
    wanted = sys.argv[1:] or ALL
    unknown = sorted(set(wanted) - set(ALL))
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").main([])
    return 0


if __name__ == "__main__":
    sys.exit(main())
