"""Say at the end how long functions and files are: a place to look, not a verdict."""

import sys
from pathlib import Path

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the sizes, whatever the outcome."""
    # a file that does not parse has failed the tests already
    shape = next((m for name, m in sys.modules.items() if name.endswith("architecture.test_shape")), None)
    if shape is not None:
        terminalreporter.write_line("Sizes: " + shape.report(Path(config.rootpath)))
