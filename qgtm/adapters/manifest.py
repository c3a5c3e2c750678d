"""The manifest of the prints: what was printed from what, whether it is still so, and what connects them.

Standard library and `core` alone, so that the daemon can ask at boot without any Jupyter.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qgtm.core.errors import ExportError

FORMAT = 1
FILE_NAME = "MANIFEST.json"
SECTIONS = ("features", "strategies", "allocation", "risk", "engine")
PRINT_MARK = "# A print of notebooks/"


@dataclass(frozen=True, slots=True)
class CellHash:
    """Name one cell that went into a print: its number counted from 1, its role, its source's sha256."""

    number: int
    tag: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Tell one print: `name` is `section/module`, `parameters` the knobs as plain JSON values."""

    name: str
    notebook: str
    module: str
    module_sha256: str
    cells: tuple[CellHash, ...]
    imports: tuple[str, ...]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """Hold one entry a print, by name."""

    prints: Mapping[str, Entry]

    @cached_property
    def sha(self) -> str:
        """Return the sha256 of the manifest's text, worked out once."""
        return sha256_of(manifest_text(self))


@dataclass(frozen=True, slots=True)
class Package:
    """Hold what lies on the disk: the prints, and one hash of all files that are not printed."""

    manifest: Manifest
    code_sha: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Name one thing that is not as it was printed or deployed; `sentence` ends with the cure."""

    kind: str
    name: str
    sentence: str


def sha256_of(content: str | bytes) -> str:
    """Return the sha256 of a text (as UTF-8) or of bytes, in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def borrow_bps(manifest: Manifest, name: str) -> float:
    """Return what a strategy's notebook says that being short costs a year, 0 where it says nothing of it."""
    entry = manifest.prints.get(f"strategies/{name}")
    knob = entry.parameters.get("borrow_bps") if entry else None
    return float(knob["value"]) if knob else 0.0


def manifest_text(manifest: Manifest) -> str:
    """Return the manifest as its file's text: JSON with sorted keys, the same for the same prints."""
    prints = {name: asdict(entry) for name, entry in manifest.prints.items()}
    for fields in prints.values():
        del fields["name"]
    return (
        json.dumps({"format": FORMAT, "prints": prints}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )


def manifest_sha(manifest: Manifest) -> str:
    """Return the sha256 of the manifest's text: one word for every print and every parameter."""
    return manifest.sha


def load_manifest(package_root: Path) -> Manifest:
    """Return the manifest that lies in `package_root`, the folder of the package `qgtm`.

    Raises ExportError when the file is missing, is no JSON, or was written in another format.
    """
    path = package_root / FILE_NAME
    try:
        return _manifest_from(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ExportError(f"{path} is missing. Run `make export` and commit it.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path} cannot be read as a manifest ({error}). Run `make export`.") from error


def load_package(package_root: Path) -> Package:
    """Return what lies in the folder of the package `qgtm`. Raises ExportError as `load_manifest` does."""
    return Package(load_manifest(package_root), code_sha(package_root))


def code_sha(package_root: Path) -> str:
    """Return the sha256 over name and content of every file that is neither a print nor the manifest.

    What Python leaves behind (`__pycache__`) and what editors hide (a leading dot) is left out. Raises
    ExportError when a file cannot be read.
    """
    told = hashlib.sha256()
    try:
        for path in sorted(_connecting(package_root), key=lambda each: each.as_posix()):
            name = path.relative_to(package_root).as_posix()
            told.update(f"{name} {sha256_of(path.read_bytes())}\n".encode())
    except OSError as error:
        raise ExportError(
            f"the code in {package_root} cannot be read: {error}. See who may read it."
        ) from error
    return told.hexdigest()


def _connecting(package_root: Path) -> Iterator[Path]:
    prints = {package_root / f"{name}.py" for name in find_prints(package_root)}
    for folder, folders, names in os.walk(package_root):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        paths = (Path(folder, name) for name in names if name != FILE_NAME and not name.startswith("."))
        yield from (path for path in paths if path not in prints)


def _manifest_from(content: Mapping[str, Any]) -> Manifest:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']} instead of {FORMAT}")
    return Manifest({name: _entry_from(name, fields) for name, fields in content["prints"].items()})


def _entry_from(name: str, fields: Mapping[str, Any]) -> Entry:
    lists = {
        "cells": tuple(CellHash(**cell) for cell in fields["cells"]),
        "imports": tuple(fields["imports"]),
    }
    return Entry(**{**fields, **lists, "name": name})


def is_print(text: str) -> bool:
    """Tell whether a module's text begins as a print does; handwritten modules do not."""
    return text.startswith(PRINT_MARK)


def find_prints(package_root: Path) -> tuple[str, ...]:
    """Return the names of all modules under `package_root` that carry the header of a print, sorted."""
    paths = (path for section in SECTIONS for path in (package_root / section).glob("*.py"))
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in paths if is_print(_head(path))))


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline()


def verify_prints(package_root: Path, manifest: Manifest) -> tuple[Difference, ...]:
    """Return every print that is not what the manifest says: edited, missing or not listed.

    `package_root` is the folder of the package `qgtm`. An empty answer means that all agree.
    """
    listed = (_changed(package_root, manifest.prints[name]) for name in sorted(manifest.prints))
    unlisted = (_unlisted(name) for name in find_prints(package_root) if name not in manifest.prints)
    return (*(difference for difference in listed if difference), *unlisted)


def _changed(package_root: Path, entry: Entry) -> Difference | None:
    try:
        found = sha256_of((package_root / f"{entry.name}.py").read_bytes())
    except OSError:
        return Difference("missing", entry.name, f"{entry.module} is missing. {_cure(entry.module)}")
    if found == entry.module_sha256:
        return None
    said = f"{entry.module} was printed as {entry.module_sha256[:8]} and is {found[:8]} on disk."
    return Difference("edited", entry.name, f"{said} {_cure(entry.module)}")


def _cure(module: str) -> str:
    return f"Run `make export` and commit, or `git checkout {module}`."


def _unlisted(name: str) -> Difference:
    said = f"qgtm/{name}.py says it is a print, and {FILE_NAME} does not know it."
    return Difference("unlisted", name, f"{said} Run `make export` and commit, or delete it.")
