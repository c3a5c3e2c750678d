"""The documented way, walked: from an idea to a shadow that waits for the daemon's next start."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.inbox import Inbox
from qgtm.adapters.manifest import load_manifest, manifest_sha
from qgtm.core.commands import Deploy
from qgtm.research.made_up import made_up

MOST_COMMANDS = 9
NAME = "silver_week"
COLUMNS = ("open", "high", "low", "close", "volume")


def documented(repo: Path) -> list[str]:
    """Return the commands of the first block of docs/workbench.md, without what they are for."""
    block = re.search(r"```sh\n(.*?)```", (repo / "docs/workbench.md").read_text(), re.S)
    assert block is not None
    return [line.partition("  #")[0].strip() for line in block[1].splitlines()]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Return a folder of a year and a half of daily bars, as a vendor would give them."""
    folder = tmp_path / "bars"
    folder.mkdir()
    made = made_up(400, 8)
    days = [date.fromordinal(int(day)).isoformat() for day in made.sessions]
    for k, symbol in enumerate(made.symbols):
        columns = [days, *(getattr(made, name)[:, k].tolist() for name in COLUMNS)]
        rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
        (folder / f"{symbol}.csv").write_text("\n".join([f"date,{','.join(COLUMNS)}", *rows]) + "\n")
    return folder


class Person:
    """Somebody in a terminal, in a copy of the project."""

    def __init__(self, root: Path, bars: Path) -> None:
        self.root, self.bars = root, bars

    def types(self, line: str) -> Any:
        """Run a line as documented, with --json where it is ours, and return the answer."""
        words = shlex.split(line.replace("DIR", str(self.bars)))
        program = [sys.executable, "-m", *words, "--json"] if words[0] == "qgtm" else words
        own = {"PYTHONPATH": str(self.root), "QGTM_STATE_DIR": str(self.root / "state")}
        own |= {"PYTHONDONTWRITEBYTECODE": ""}  # each command compiles what the one before it has compiled
        done = subprocess.run(
            program, cwd=self.root, env=os.environ | own, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if words[0] == "qgtm" else done.stdout

    def edits(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert text.count(old) == 1
        (self.root / path).write_text(text.replace(old, new))


def test_way_is_as_short_as_promised(repo: Path) -> None:
    assert len(documented(repo)) <= MOST_COMMANDS


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.timeout(300)  # a dozen processes; on a machine that has much else to do
def test_idea_becomes_a_deployed_shadow_by_the_documented_commands(
    repo: Path, project: Path, bars: Path
) -> None:
    (project / "qgtm_config.toml").write_text((repo / "qgtm_config.toml").read_text())
    lab, begin, test, diff, export, sweep, evidence, commit, deploy = documented(repo)
    assert (lab, export, commit) == ("make lab", "make export", "git commit -a")
    assert sweep.startswith("qgtm sweep")  # it starts a cluster, and has its own tests
    person = Person(project, bars)
    notebook = f"notebooks/strategies/{NAME}.ipynb"

    assert person.types(begin)["notebook"] == notebook
    person.edits(notebook, "lookback = 100  # sessions", "lookback = 60  # sessions")
    tested = person.types(test)
    assert (tested["is_ok"], tested["is_printed"], len(tested["checks"])) == (True, False, 10)
    changed = person.types(diff)
    assert changed["knobs"] == {"lookback": {"deployed": 100, "working": 60}}
    assert changed["differing"] > 100
    assert (project / changed["picture"]).is_file()

    assert f"strategies/{NAME}" in person.types("qgtm export")["printed"]  # the two that `make export` runs
    person.types(f"{sys.executable} -m qgtm.reporting.pipeline")
    assert person.types("qgtm export --check")["differences"] == []

    person.types(evidence)

    person.edits("qgtm_config.toml", "enabled = [\n", f'enabled = [\n    "{NAME}",\n')
    person.types(deploy)
    with Inbox(project / "state/inbox.db") as inbox:
        (wish,) = inbox.wishes(after=0)
    assert isinstance(wish.command, Deploy)
    assert wish.command.manifest_sha == manifest_sha(load_manifest(project / "qgtm"))
    (row,) = (each for each in person.types("qgtm strategies") if each["name"] == NAME)
    assert row["state"] == "waiting"
    assert row["evidence"].startswith("shadow: ")
