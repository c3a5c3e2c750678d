"""One set of packages, said in four files that must not drift apart."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = ("requirements.lock", "requirements-live.lock")
PYTHONS = ("3.11.7", "3.12.1", "3.13.0")
LINE = re.compile(r"^(?P<requirement>[^\s#-][^\\]*?)\s*\\?$")
HASH = re.compile(r"^    --hash=sha256:(?P<hash>[0-9a-f]{64})(?: \\)?$")


def project(repo: Path) -> dict:
    """Return the [project] table."""
    return tomllib.loads((repo / "pyproject.toml").read_text())["project"]


def pins(path: Path) -> dict[str, set[str]]:
    """Return each pinned requirement of a lock with its hashes."""
    found: dict[str, set[str]] = {}
    requirement = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := HASH.match(line):
            found[requirement].add(match["hash"])
        elif match := LINE.match(line):
            requirement = match["requirement"]
            found[requirement] = set()
        else:
            raise AssertionError(f"{path.name}:{number} is neither a pin nor a hash: {line!r}")
    return found


def versions(path: Path, python: str) -> dict[str, Version]:
    """Return what a lock installs on one Python, on Linux."""
    here = default_environment() | {
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    wanted = [Requirement(line) for line in pins(path)]
    return {
        canonicalize_name(r.name): Version(next(iter(r.specifier)).version)
        for r in wanted
        if not r.marker or r.marker.evaluate(here)  # type: ignore[arg-type]
    }


def assert_satisfied(requirements: list[str], have: dict[str, Version]) -> None:
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        assert name in have, f"{requirement} is in no lock: run `make lock`"
        assert requirement.specifier.contains(have[name]), (
            f"{name} {have[name]} is not {requirement}: run `make lock`"
        )


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_holds_everything_that_pyproject_asks_for(repo: Path, python: str) -> None:
    extras = project(repo)["optional-dependencies"]
    asked = project(repo)["dependencies"] + [line for extra in extras.values() for line in extra]
    assert_satisfied(asked, versions(repo / "requirements.lock", python))


@pytest.mark.parametrize("python", PYTHONS)
def test_live_lock_holds_what_the_live_host_asks_for(repo: Path, python: str) -> None:
    assert_satisfied(project(repo)["dependencies"], versions(repo / "requirements-live.lock", python))


def test_live_lock_is_a_subset_of_the_lock_to_the_hash(repo: Path) -> None:
    # without the markers: what the live host needs on Windows alone, the whole may need everywhere
    full, live = (
        {line.partition(" ;")[0]: hashes for line, hashes in pins(repo / name).items()} for name in LOCKS
    )
    assert {name: full.get(name) for name in live} == live


def test_live_lock_holds_no_jupyter_and_no_panel(repo: Path) -> None:
    live = versions(repo / "requirements-live.lock", PYTHONS[0])
    heavy = {"panel", "bokeh", "holoviews", "vectorbt", "ipykernel", "jupyterlab", "ploomber", "papermill"}
    assert set(live) & heavy == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_a_hash_for_every_pin_and_names_no_index(repo: Path, lock: str) -> None:
    found = pins(repo / lock)
    assert found
    assert [name for name, hashes in found.items() if not hashes] == []
    assert re.search(r"https?:|--(extra-)?index-url|--find-links|@ ", (repo / lock).read_text()) is None


def test_conda_environment_is_python_pip_and_the_lock(repo: Path) -> None:
    environment = yaml.safe_load((repo / "environment.yml").read_text())
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    through_pip = [d for d in environment["dependencies"] if isinstance(d, dict)]
    python = SpecifierSet(next(d for d in plain if d.startswith("python ")).removeprefix("python "))
    assert environment["name"] == project(repo)["name"]
    assert python == SpecifierSet(project(repo)["requires-python"])
    assert "pip" in plain
    assert through_pip == [{"pip": ["-r requirements.lock"]}]


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "environment.yml"])
def test_python_range_is_the_one_that_make_accepts(repo: Path, name: str) -> None:
    assert (repo / name).exists()
    assert project(repo)["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] < (3, 14)" in (repo / ".ci/environment").read_text()
