"""pipelines.yaml fits the notebooks and the prints: Ploomber passes a misspelt knob over."""

import configparser
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


def test_ploomber_is_told_where_the_pipeline_stands() -> None:
    parser = configparser.ConfigParser()
    parser.read(REPO / "setup.cfg")
    assert parser["ploomber"]["entry-point"] == "pipelines.yaml"


def test_pipeline_names_only_knobs_that_there_are_and_the_prints_as_they_are() -> None:
    pytest.importorskip("yaml")
    from qgtm.reporting.pipeline import find_faults

    assert find_faults(REPO) == ()


def test_every_task_is_told_the_hash_of_the_prints_it_imports() -> None:
    pytest.importorskip("yaml")
    from qgtm.reporting.pipeline import load_tasks

    assert [task.name for task in load_tasks(REPO) if "code" not in task.params] == []
