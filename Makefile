# `make` prints the targets. The first one that is asked for does the set-up; nothing else is needed
# than git, make and a Python 3.11 to 3.13.
#
#   PYTHON=/path/to/python   which Python the virtual environment is made from
#   VENV=folder              where it stands (.venv)
#   ARGS='--speed 1'         handed on to the program that the target starts

SHELL := /bin/sh
PYTHON ?=
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
LOCK_ID := $(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
STAMP := $(VENV)/installed-$(LOCK_ID)
LOCK := $(BIN)/uv pip compile pyproject.toml -q --universal --generate-hashes --python-version 3.11 \
        --no-annotate --no-header --no-emit-index-url

export PLOOMBER_STATS_ENABLED := false
export PYTHONUTF8 := 1

.PHONY: help run lab test export check report pipeline bench simulate durable evidence faults clean lock
.DEFAULT_GOAL := help

help:  ## print this list
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: $(STAMP)  ## start the platform on the embedded paper exchange; Ctrl-C stops it
	@$(BIN)/qgtm up $(ARGS)

lab: $(STAMP)  ## open JupyterLab: warm kernels, the house's theme, a tile that begins a strategy
	@$(BIN)/python -m qgtm.workbench.lab $(ARGS)

test: check  ## check, then every test
	$(BIN)/pytest -n 2 --dist worksteal --ignore=tests/architecture $(ARGS)

export: $(STAMP)  ## print the notebooks into qgtm/ and the features' page into docs/
	$(BIN)/qgtm export $(ARGS)
	$(BIN)/python -m qgtm.reporting.pipeline
	$(BIN)/python -m qgtm.research.features_page

check: $(STAMP)  ## format, lint, types, import contracts, prints, locks: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/qgtm export --check
	$(BIN)/pytest -q tests/architecture

report: $(STAMP)  ## make this week's report from what the journal holds
	$(BIN)/qgtm report $(ARGS)

pipeline: $(STAMP)  ## run the strategies' notebooks that changed, and the review, side by side
	@$(BIN)/python -m qgtm.reporting.run_pipeline $(ARGS)

bench: $(STAMP)  ## measure start-up, the step, and replay beside two other frameworks
	$(BIN)/python -m benchmarks $(ARGS)

simulate: $(STAMP)  ## live through thousands of invented days, and write docs/simulation.md; resumable
	$(BIN)/python -m qgtm.simulation.sizes $(ARGS)

durable: $(STAMP)  ## kill daemons, cut power, edit and drill by the thousand; write docs/durability.md; resumable
	$(BIN)/python -m tests.durability $(ARGS)

evidence: $(STAMP)  ## judge every strategy, and the judging, over 200 markets; write docs/evidence.md; resumable
	$(BIN)/python -m benchmarks.evidence $(ARGS)

faults: $(STAMP)  ## write docs/faults.md: which test injects what, and its last result
	$(BIN)/python -m tests.faults $(ARGS)

lock: $(STAMP)  ## resolve pyproject.toml again (needs a package index)
	$(LOCK) --all-extras --upgrade -o requirements.lock
	$(LOCK) -c requirements.lock -o requirements-live.lock

clean:  ## remove the environments and caches; var/ and reports/ stay
	rm -rf $(VENV) benchmarks/.venv-peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
	       .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

# A stamp named after the lock: nothing to do on the second start, everything after a change of it.
# uv, itself pinned in the lock, installs ten times as fast as pip; where it finds no index (it reads
# no pip.conf) pip does the same work from the same hashes.
$(STAMP):
	@VENV='$(VENV)' sh ./.ci/environment $(PYTHON)
	@touch $@
