# Works with make and Python >= 3.11 alone; `make` by itself lists the targets.
# Every target sets up what it needs first, which takes no time once it is there.

PYTHON ?= python3
PREPARE ?= $(PYTHON) scripts/prepare.py
BIN := .venv/bin
UNDAUNTED ?= $(BIN)/undaunted

# Processes that `make test` spreads the tests over, and further arguments for pytest.
JOBS ?= 2
ARGS ?=

# Tests that need no process, file or port. `make check` runs them.
QUICK := $(wildcard tests/unit tests/properties tests/test_*.py)

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint bench matrix lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: ## set up .venv and the real agents that the tests drive
	@$(PREPARE) dev

# The prompt goes through the environment as it was typed: `value` keeps make from expanding a `$`
# in it, and the shell never sees it as text of the command. `override` wins over the command line.
run: PROMPT ?= Say hello to whoever reads this.
run: override export PROMPT := $(value PROMPT)
run: ## rehearse a task with simulated agents: make run PROMPT='...'
	@$(PREPARE) run
	@$(UNDAUNTED) run --rehearsal -- "$$PROMPT"

test: ## run all tests, the quick ones first: make test JOBS=1 ARGS='-k breaker'
	@$(PREPARE) dev
	@$(BIN)/pytest -n $(JOBS) --maxschedchunk=1 $(ARGS)

check: lint ## lint, types, architecture and the quick tests: under a minute
	@$(BIN)/pytest -q $(QUICK) $(ARGS)

lint: ## lint, formatting, types and architecture
	@$(PREPARE) dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: ## run every benchmark
	@$(PREPARE) dev
	@set -e; for benchmark in benchmarks/bench_*.py; do \
		echo "== $$benchmark"; $(BIN)/python "$$benchmark"; \
	done

matrix: ## run every fault with every real agent, half an hour; writes docs/agents/matrix.md
	@$(PREPARE) dev
	@$(BIN)/python scripts/matrix.py $(ARGS)

lock: ## make the locks anew: make lock ARGS=--upgrade
	@$(PREPARE) dev
	@$(PREPARE) lock $(ARGS)

clean: ## remove all that was set up or made
	rm -rf .venv tests/tools/node_modules dist .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
