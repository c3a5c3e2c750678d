"""The manifest of the prints: what was printed from what, and whether it is still so.

Standard library and `core` alone, so that the daemon can ask at boot without any Jupyter.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True)
class Manifest:
    """Hold one entry a print, by name."""

    prints: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Difference:
    """Name one thing that is not as it was printed or deployed; `sentence` ends with the cure."""

    kind: str
    name: str
    sentence: str


def sha256_of(content: str | bytes) -> str:
    """Return the sha256 of a text (as UTF-8) or of bytes, in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


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
    return sha256_of(manifest_text(manifest))


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
