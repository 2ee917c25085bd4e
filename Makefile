# Needs Python 3.11 or newer, git and make. Everything is made inside this folder, whatever its name.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Programs are called as modules: scripts in bin/ break where the folder has a space in its name.
VENV_PYTHON = .venv/bin/python
LINT_PYTHON = .venv-lint/bin/python
PEERS_PYTHON = .venv-peers/bin/python
LINTED = orchestrator tests benchmarks
# Where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would compile our modules anew.
COMPILE = $(VENV_PYTHON) -m compileall -q orchestrator
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1

.DEFAULT_GOAL := help
.PHONY: help simulate ui screenshots test test-fast lint format bench faults faults-table doubts crafted docs lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

simulate: .venv/runtime ## Run the shipped simulation; ARGS="2025-2026 --scenario high_growth"
	@$(VENV_PYTHON) -m orchestrator simulate $(ARGS)

ui: .venv/ui ## Open the web interface; ARGS="--port 8080"
	@$(VENV_PYTHON) -m orchestrator ui $(ARGS)

test: .venv/test ## Run the tests; ARGS="-k hooks -x"
	@$(COMPILE)
	@$(VENV_PYTHON) -m pytest $(ARGS)

test-fast: .venv/test ## Run the tests that take two minutes together: none that is marked slow or faults
	@$(COMPILE)
	@$(VENV_PYTHON) -m pytest -m "not slow and not faults" $(ARGS)

lint: .venv-lint/lint ## Check style (ruff) and types (mypy)
	@$(LINT_PYTHON) -m ruff check $(LINTED)
	@$(LINT_PYTHON) -m ruff format --check $(LINTED)
	@$(LINT_PYTHON) -m mypy

format: .venv-lint/lint ## Format the code
	@$(LINT_PYTHON) -m ruff check --fix $(LINTED)
	@$(LINT_PYTHON) -m ruff format $(LINTED)

screenshots: .venv/test ## Make the pictures of docs/ui.md anew, in Debian's Chromium
	@$(VENV_PYTHON) -m tests.ui.screenshots

bench: .venv/test .venv-peers/peers ## Run the benchmarks; ARGS="five_years check", ARGS="--list", ARGS="--quick"
	@$(COMPILE)
	@$(VENV_PYTHON) -m benchmarks $(ARGS)

faults: .venv/test ## Kill runs at random moments; ARGS="--minutes 15 --seed 7 --project shipped"
	@$(VENV_PYTHON) -m tests.faults.random_kills $(ARGS)

faults-table: .venv/test ## Write docs/faults.md from the fault tests
	@$(VENV_PYTHON) -m tests.faults.write_table

doubts: .venv/test ## Draw dbt projects and changes, and compare with dbt itself; ARGS="--minutes 30 --seed 7"
	@$(COMPILE)
	@$(VENV_PYTHON) -m tests.doubts.draw $(ARGS)

crafted: .venv/test ## Draw files as a stranger would write them, and see what commands do; ARGS="5000 0"
	@$(VENV_PYTHON) -m tests.unit.crafted_files $(or $(ARGS),5000)

docs: .venv/test ## Write docs/configuration.md from the schema, and check that every link leads somewhere
	@$(VENV_PYTHON) -m orchestrator.config.reference docs/configuration.md
	@$(VENV_PYTHON) -m pytest -q tests/unit/test_docs.py

lock: .venv-lint/lint ## Choose the newest versions anew and write requirements/*.lock
	@set -e; compile="$(LINT_PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-header --no-annotate --no-emit-index-url"; \
	$$compile pyproject.toml requirements/build.in -o requirements/runtime.lock; \
	$$compile pyproject.toml requirements/build.in --extra test -c requirements/runtime.lock -o requirements/test.lock; \
	$$compile pyproject.toml requirements/build.in --extra ui --extra llm --extra report --extra sweep -c requirements/test.lock -o requirements/ui.lock; \
	$$compile requirements/lint.in -o requirements/lint.lock; \
	$$compile requirements/peers.in -c requirements/runtime.lock -o requirements/peers.lock

clean: ## Remove what can be made again: environments, caches, parses (never a database)
	@rm -rf .venv .venv-lint .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis var/dbt dbt/target dbt/logs
	@find orchestrator tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python .venv-lint/bin/python .venv-peers/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making $(@D:/bin=) with $(PYTHON)"
	@$(PYTHON) -m venv $(@D:/bin=)

# A stamp is a copy of the lock that was installed, so an unchanged lock installs nothing.
.venv/runtime: requirements/runtime.lock pyproject.toml | $(VENV_PYTHON)
	@cmp -s $< $@ || { echo "Installing $<"; $(VENV_PYTHON) -m pip install --quiet --no-deps -r $<; }
	@$(VENV_PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@cp $< $@

.venv/test: requirements/test.lock .venv/runtime
	@cmp -s $< $@ || { echo "Installing $<"; $(VENV_PYTHON) -m pip install --quiet --no-deps -r $<; }
	@cp $< $@

.venv/ui: requirements/ui.lock .venv/runtime
	@cmp -s $< $@ || { echo "Installing $<"; $(VENV_PYTHON) -m pip install --quiet --no-deps -r $<; }
	@cp $< $@

.venv-lint/lint: requirements/lint.lock | $(LINT_PYTHON)
	@cmp -s $< $@ || { echo "Installing $<"; $(LINT_PYTHON) -m pip install --quiet --no-deps -r $<; }
	@cp $< $@

.venv-peers/peers: requirements/peers.lock | $(PEERS_PYTHON)
	@cmp -s $< $@ || { echo "Installing $<"; $(PEERS_PYTHON) -m pip install --quiet --no-deps -r $<; }
	@cp $< $@
