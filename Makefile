# `make` prints the menu. Every target sets up what it needs and does nothing twice.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# What `make bench` compares with has an environment of its own.
PEERS := .venv-bench
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: what they import is compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

# Options of `coordinator up`, such as ARGS="--port 9002 --no-agents".
ARGS ?=
# Where `make demo` finds the API.
PORT ?=

EVERYDAY := not benchmark and not chaos

MAKEFLAGS += --no-print-directory
.SILENT:
.DEFAULT_GOAL := menu
.PHONY: menu run demo test test-brokers tests check static unit lint types imports format bench chaos docs rabbitmq rabbitmq-4.0 rabbitmq-4.3 postgres prometheus nginx clients shells generators browser screenshots package setup ready-to-test clean

menu:
	awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## start RabbitMQ, the coordinator and example agents; Ctrl-C stops them all
	deploy/rabbitmq/install.sh
	exec $(BIN)/coordinator up $(ARGS)

demo: $(INSTALLED) ## submit a mixed batch to what `make run` started, and watch it finish
	exec $(BIN)/coordinator demo $(if $(PORT),--url http://127.0.0.1:$(PORT)) $(ARGS)

# The checks need a processor while what is installed waits for the network.
test: ## every check and every test, on the oldest and the newest RabbitMQ that this machine can have
	$(MAKE) -j3 ready-to-test static
	$(MAKE) tests

test-brokers: rabbitmq-4.0 ## the same, on the RabbitMQ versions between them too
	COORDINATOR_TEST_RABBITMQ=all $(MAKE) test

# Four at a time: with two cores more of them would only keep each other waiting. Then alone those that judge
# how quick things are, whatever the first part's end. 5 is pytest's word for nothing to run, which ARGS may
# leave in one part; 2 for Ctrl-C.
tests: $(INSTALLED)
	passed=; failed=; run() { \
		$(BIN)/pytest "$$@" $(ARGS); \
		case $$? in 0) passed=yes ;; 5) ;; 2) exit 2 ;; *) failed=yes ;; esac; \
	}; \
	run -n 4 --dist worksteal -m "$(EVERYDAY) and not alone"; \
	run -m "$(EVERYDAY) and alone"; \
	test "$$passed-$$failed" = yes-

check: static unit ## the fast part of `make test`: format, lint, types, imports, unit tests

static: lint types imports

unit: $(INSTALLED)
	$(BIN)/pytest -q tests/unit $(ARGS)

lint: $(INSTALLED) ## format and lint, changing nothing
	$(BIN)/ruff format --quiet --check . || { echo "Some files are not formatted: run 'make format'."; exit 1; }
	$(BIN)/ruff check --quiet .

types: $(INSTALLED) ## strict types, of the tests too
	$(BIN)/mypy --no-error-summary

imports: $(INSTALLED)
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## format, and mend what the linter can mend
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

bench: $(INSTALLED) $(if $(findstring --no-peers,$(ARGS)),,$(PEERS)/installed) ## the coordinator beside what people would use instead, in one table
	deploy/rabbitmq/install.sh
	BENCH_PYTHON=$(PEERS)/bin/python $(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(INSTALLED) ## kill and suspend things under load; takes minutes
	deploy/rabbitmq/install.sh
	$(BIN)/pytest -m chaos $(ARGS)

docs: $(INSTALLED) ## write the reference pages anew from the source
	$(BIN)/python docs/generate.py

rabbitmq: ## install RabbitMQ's server, if this machine has none
	deploy/rabbitmq/install.sh

rabbitmq-4.3: ## make RabbitMQ 4.3 ready for tests beside the installed version, where possible
rabbitmq-4.0 rabbitmq-4.3:
	deploy/rabbitmq/second-version.sh $(@:rabbitmq-%=%)

postgres: ## install PostgreSQL's server for tests, if this machine has none
	deploy/postgres/install.sh

prometheus: ## fetch Prometheus for tests, if this machine has none
	deploy/observability/install.sh

nginx: ## fetch nginx for tests, if this machine has none
	deploy/nginx/install.sh

clients: ## install clients of other languages for tests, where possible: Node.js, Ruby, PHP, Go
	tests/clients/install.sh

shells: ## install shells for the tests of completion, where possible: zsh, fish
	tests/shells/install.sh

generators: $(INSTALLED) ## install what reads the OpenAPI document in tests, where possible: Redocly, makers of clients
	PYTHON=$(BIN)/python tests/generators/install.sh

browser: ## install what the tests of the dashboard need, where possible: Chromium, axe
	tests/browser/install.sh

screenshots: $(INSTALLED) browser ## look at each page of the dashboard, and keep what was seen in docs/guides/dashboard
	deploy/rabbitmq/install.sh
	$(BIN)/python -m tests.browser.screenshots

package: $(INSTALLED) ## build the wheel and the sdist in dist/, for an agent's own repository or an index
	$(BIN)/python -m build --no-isolation --outdir dist .

setup: $(INSTALLED) ## the virtual environment alone

# Node.js may come with the clients.
ready-to-test: $(INSTALLED) rabbitmq rabbitmq-4.3 postgres prometheus nginx clients shells $(VENV)/rewritten
	$(MAKE) generators browser

clean: ## remove what was built here: the virtual environment and the caches, no data
	rm -rf $(VENV) $(PEERS) tests/clients/node_modules tests/generators/node_modules tests/browser/node_modules .venv-generators dist build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt deploy/venv.sh deploy/pinned_install.py
	deploy/venv.sh $(VENV)
	touch $@

# pytest rewrites every module of tests when it first sees it: here once, while others install, and not by
# each of the six who run tests. What cannot be collected is told there.
$(VENV)/rewritten: $(INSTALLED)
	-$(BIN)/pytest -qq --collect-only >/dev/null 2>&1
	touch $@

$(PEERS)/installed: tests/benchmarks/peers/requirements.txt | $(INSTALLED)
	echo "Installing what to compare with into $(PEERS) ..."
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement $<
	touch $@
