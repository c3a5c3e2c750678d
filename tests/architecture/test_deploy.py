"""What runs on a host of its own: units whose commands exist, and a proxy that leads to the pages."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from qgtm.config import load_config
from tests.architecture.test_commands_in_docs import REPO, why_not

DEPLOY = REPO / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROCESSES = {"daemon", "watchdog", "serve", "scheduler", "feeds"}


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path, encoding="utf-8")
    return parser


def command(path: Path) -> str:
    """Return the command as a person would type it."""
    return re.sub(r"^\S*/qgtm ", "qgtm ", unit(path)["Service"]["ExecStart"])


@pytest.mark.mistake(18)
def test_each_process_has_a_unit_whose_command_is_there() -> None:
    assert {path.stem.removeprefix("qgtm-") for path in UNITS} == PROCESSES
    for path in UNITS:
        line = command(path)
        assert why_not(line) is None, f"{path.name}: {line}: {why_not(line)}"
        assert line.split()[1] == path.stem.removeprefix("qgtm-")


@pytest.mark.fault("G4")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_is_started_again_and_only_the_watchdog_without_end(path: Path) -> None:
    found = unit(path)
    assert found["Service"]["Restart"] == "on-failure"
    limits = {key: value for key, value in found["Unit"].items() if key.startswith("StartLimit")}
    is_watchdog = path.stem == "qgtm-watchdog"
    three_in_ten_minutes = {"StartLimitIntervalSec": "600", "StartLimitBurst": "3"}
    assert limits == ({"StartLimitIntervalSec": "0"} if is_watchdog else three_in_ten_minutes)


@pytest.mark.fault("G5", "G9")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_may_do_little_and_has_time_to_end_well(path: Path) -> None:
    service = unit(path)["Service"]
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert int(service["TimeoutStopSec"]) > 10  # the daemon winds down within ten seconds
    assert service["MemoryMax"].endswith(("M", "G"))


@pytest.mark.mistake(7)
def test_watchdog_hangs_on_no_other_unit_and_has_its_own_keys() -> None:
    found = {path.stem: unit(path) for path in UNITS}
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & set(found["qgtm-watchdog"]["Unit"])
    assert "qgtm" not in found["qgtm-watchdog"]["Unit"]["After"]
    files = [each["Service"]["EnvironmentFile"] for each in found.values()]
    assert len(set(files)) == len(files)


def test_proxy_leads_to_the_pages() -> None:
    web = load_config(REPO / "qgtm_config.toml", {}).web
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert re.findall(r"reverse_proxy (\S+)", text) == [f"{web.host}:{web.port}"]


def test_runbook_names_every_unit() -> None:
    text = (REPO / "docs" / "runbook.md").read_text("utf-8")
    assert [path.name for path in UNITS if path.stem not in text] == []
