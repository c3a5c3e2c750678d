"""`make lab`: JupyterLab as it starts for a person, asked over its protocol and clicked on in a browser."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from benchmarks.browser import Tab, browser, chromium
from qgtm.adapters.clock import SystemClock
from qgtm.workbench import lab
from tests.workbench.conftest import copied

HERE = Path(lab.__file__).with_name("lab")
EXTENSION = HERE / "labextensions/qgtm-lab"
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_person_is_asked_for_the_token_and_nobody_hears_it_from_outside(tmp_path: Path) -> None:
    told = lab.options(tmp_path)
    assert "--ServerApp.ip=127.0.0.1" in told
    assert not [each for each in told if "token" in each.lower() or "password" in each.lower()]


def test_own_configuration_stands_before_that_of_the_person() -> None:
    given = lab.environ({"JUPYTER_CONFIG_PATH": "/mine", "PATH": "/bin"})
    assert given["JUPYTER_CONFIG_PATH"] == os.pathsep.join([str(HERE / "config"), "/mine"])
    assert lab.environ({})["JUPYTER_CONFIG_PATH"] == str(HERE / "config")
    assert given["PATH"] == "/bin"


def test_warm_kernels_hold_nothing_that_an_export_could_change() -> None:
    assert [name for name in lab.IMPORTS if name.startswith("qgtm")] == []


def test_extension_is_where_its_own_description_says() -> None:
    told = json.loads((EXTENSION / "package.json").read_text())
    script = (EXTENSION / told["jupyterlab"]["_build"]["load"]).read_text()
    settings = json.loads((HERE / "config/labconfig/default_setting_overrides.json").read_text())
    theme = settings["@jupyterlab/apputils-extension:themes"]["theme"]
    assert f'window._JUPYTERLAB["{told["name"]}"]' in script
    assert f'name: "{theme}"' in script
    assert (EXTENSION / told["jupyterlab"]["themePath"]).is_file()
    assert f'loadCSS("{told["name"]}/index.css")' in script


@dataclass(frozen=True)
class Running:
    """A JupyterLab that runs, on a copy of the project."""

    root: Path
    address: str
    token: str


@pytest.fixture(scope="module")
def running(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    project, port, log = copied(repo, home / "project"), free_port(), home / "lab.log"
    command = [
        sys.executable, "-m", "qgtm.workbench.lab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0",
    ]  # fmt: skip
    own = {
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "PYTHONPATH": str(project),
    }
    with log.open("w") as said:
        process = subprocess.Popen(command, cwd=project, env=os.environ | own, stdout=said, stderr=said)
    try:
        yield Running(project, f"http://127.0.0.1:{port}", token_in(log, process))
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def token_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    clock = SystemClock()
    until_s = clock.monotonic() + PATIENCE_S
    while (found := re.search(r"/lab\?token=(\w+)", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert clock.monotonic() < until_s, log.read_text()
        clock.wait(0.1)
    return found[1]


@pytest.mark.slow
def test_tile_asks_the_server_which_writes_the_strategy_or_says_why_not(running: Running) -> None:
    place = f"{running.address}/qgtm/strategies"
    stranger = requests.post(place, json={"name": "silver_week"}, timeout=PATIENCE_S)
    assert stranger.status_code == 403
    assert not (running.root / "notebooks/strategies/silver_week.ipynb").exists()
    known = {"Authorization": f"token {running.token}"}
    made = requests.post(place, json={"name": "silver_week"}, headers=known, timeout=PATIENCE_S)
    assert (made.status_code, made.json()["notebook"]) == (201, "notebooks/strategies/silver_week.ipynb")
    assert (running.root / made.json()["notebook"]).is_file()
    again = requests.post(place, json={"name": "silver_week"}, headers=known, timeout=PATIENCE_S)
    assert again.status_code == 400
    assert "silver_week is taken by notebooks/strategies/silver_week.ipynb" in again.json()["message"]
    page = requests.get(f"{running.address}/lab", headers=known, timeout=PATIENCE_S).text
    assert '"name": "qgtm-lab"' in page


@pytest.mark.parametrize(("does", "code"), [("SIG_IGN", -9), ("SIG_DFL", -15)])
def test_lab_that_does_not_end_when_it_is_asked_is_killed(does: str, code: int) -> None:
    told = f"signal.signal(signal.SIGTERM, signal.{does})\nprint(flush=True)\ntime.sleep(600)"
    command = [sys.executable, "-c", f"import signal, time\n{told}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stands_in:
        assert stands_in.stdout is not None
        stands_in.stdout.readline()
        lab.end(stands_in, mercy_s=0.3)
        assert stands_in.wait(PATIENCE_S) == code


def seen(tab: Tab, expression: str) -> object:
    """Return what an expression comes to once it is something."""
    for _ in range(int(PATIENCE_S / 0.2)):
        if found := tab.evaluate(expression):
            return found
        tab.listen(0.2)
    raise AssertionError(f"not to be seen: {expression}")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="there is no Chromium here: `apt-get install chromium`")
def test_tile_begins_a_strategy_and_opens_its_notebook(running: Running) -> None:
    with browser() as chrome, chrome.tab() as tab:
        tab.open(f"{running.address}/lab?token={running.token}")
        tile = "[...document.querySelectorAll('.jp-LauncherCard')].find(e => e.innerText == 'New strategy')"
        seen(tab, f"!!{tile}")
        assert seen(tab, "document.body.dataset.jpThemeName") == "qgtm"
        tab.evaluate(f"{tile}.click()")
        seen(tab, "!!document.querySelector('.jp-Dialog input')")
        tab.evaluate(
            "(() => { const field = document.querySelector('.jp-Dialog input'); field.value = 'silver_day';"
            "document.querySelector('.jp-Dialog .jp-mod-accept').click(); })()"
        )
        assert seen(tab, "document.querySelector('.jp-Notebook h1')?.innerText").startswith("Silver day")  # type: ignore[attr-defined]
        assert (running.root / "qgtm/strategies/silver_day.py").is_file()
        assert [said for said in tab.complaints() if "qgtm" in said] == []
