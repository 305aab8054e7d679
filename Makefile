# Clianta Jobs. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 5000
VAR    ?= var
STAMP  := $(VENV)/installed
BENCH  := .venv-bench
EXPORTER := .venv-exporter
BULLMQ := bench/peers/bullmq
BENCHMARKS := throughput budget latency scale events automations
BOTH_PROFILES := budget latency

.DEFAULT_GOAL := help
.PHONY: help install run test soak lint format lock bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

install: $(STAMP) ## Create .venv with the pinned dependencies

run: $(STAMP) ## Start everything: web, worker, scheduler, Redis, store, mail (PORT=5000 VAR=var)
	@exec env PORT=$(PORT) VAR=$(VAR) $(BIN)/python -m sandbox.run

# One process more than processors: tests often wait. In the order of the files, which ends with many short ones.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
PROCESSES ?= $(shell expr $(PROCESSORS) + 1)
test: $(STAMP) $(EXPORTER)/installed ## Run the whole test suite on a real Redis and a real document store
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

# Faults are a matter of chance: so they are to pass again and again. Stops at the first failure. Their tests mostly
# wait, for locks that lapse say: so there are two processes per processor.
soak: $(STAMP) ## Run all seeds of the events' property tests, and the fault tests again and again (ROUNDS=20)
	$(BIN)/python -m pytest --numprocesses auto tests/consumers tests/publishers -m soak -o timeout=600 $(ARGS)
	@for round in $$(seq $(ROUNDS)); do echo "soak: round $$round of $(ROUNDS), $$(date +%T)"; \
		$(BIN)/python -m pytest --numprocesses $(shell expr 2 '*' $(PROCESSORS)) --maxschedchunk 1 $(FAULTS) \
			-m "soak or not soak" -o timeout=600 $(ARGS) || exit 1; done
ROUNDS ?= 20
FAULTS := tests/faults tests/queues/test_faults.py tests/queues/test_mishaps.py tests/queues/test_chains.py \
	tests/queues/test_frugal_faults.py tests/test_scheduler_faults.py

lint: $(STAMP) ## ruff, format check, mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Resolves setup.cfg's ranges into exact versions with hashes, for every supported Python and platform.
lock: $(STAMP) ## Renew the requirements*.txt from setup.cfg
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile setup.cfg $(LOCK) -o requirements.txt --upgrade --quiet
	$(BIN)/uv pip compile setup.cfg $(LOCK) --extra dev -o requirements-dev.txt --upgrade --quiet
	$(BIN)/uv pip compile setup.cfg $(LOCK) --extra bench -o requirements-bench.txt --upgrade --quiet
	echo 'rq-exporter ==3.1.0' | $(BIN)/uv pip compile - $(LOCK) -o requirements-exporter.txt --upgrade --quiet
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

# rq-exporter asks for an older RQ than ours, so it cannot share an environment with us (docs/rq-tools.md).
$(EXPORTER)/installed: requirements-exporter.txt
	$(PYTHON) -m venv $(EXPORTER)
	$(EXPORTER)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-exporter.txt
	@touch $@

# The peers live in an environment of their own. BullMQ only where node is installed.
$(BENCH)/installed: requirements-bench.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	if command -v npm >/dev/null; then npm ci --loglevel error --no-audit --no-fund --prefix $(BULLMQ); fi
	@touch $@

bench: $(BENCH)/installed ## Run the benchmarks: JSON per benchmark, fails when a goal is missed (ARGS=--quick)
	@failed=0; run() { $(BENCH)/bin/python -m bench."$$@" $(ARGS) || failed=1; }; \
		for name in $(filter-out $(BOTH_PROFILES),$(BENCHMARKS)); do run $$name; done; \
		for name in $(BOTH_PROFILES); do for profile in standard frugal; do run $$name --profile $$profile; done; done; \
		exit $$failed

clean: ## Remove the environments, caches and the data under VAR
	rm -rf $(VENV) $(BENCH) $(EXPORTER) $(BULLMQ)/node_modules $(VAR) .mypy_cache .ruff_cache .pytest_cache .hypothesis
