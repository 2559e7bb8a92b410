VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && echo $$p && break; done)
# -qq: errors only, as pip warns of each local folder of packages that lacks one.
PIP := -m pip install -qq --disable-pip-version-check
MATRIX := $(patsubst tests/matrix/%.txt,$(VENV)/matrix/%/.requirements,$(wildcard tests/matrix/*.txt))
FUNCTIONS := $(VENV)/matrix/functions/2/.requirements

# The packages of the code interpreter, on the systems that can confine its processes. The mark is the installation's own.
INTERPRETER := $(if $(filter Linux,$(shell uname -s)),$(VENV)/code_interpreter/.installed)

.DEFAULT_GOAL := help
.PHONY: help setup run try-model unit test long proxied faults simulate races soak matrix node bench picture compare lint format update clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.requirements $(VENV)/.azurite ## Make .venv with the packages of requirements.lock, and Azurite

run: setup $(INTERPRETER) ## Start the service; ARGS="--port 7071 --data .data"
	$(BIN)/python -m assistants.local $(ARGS)

try-model: setup ## Try what the model's endpoint can do; ARGS="--model gpt-4o"
	$(BIN)/python -m assistants.local.trial $(ARGS)

unit: setup ## Run the tests that do no I/O
	$(BIN)/python -m pytest tests/unit -n 2 $(ARGS)

test: setup node $(INTERPRETER) ## Run the tests; ARGS="--sdk=all" for every kind of client
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

long: setup ## Run the tests that take long: fuzzed requests, very many files, users of failing storage
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

lint: setup ## Check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: setup ## Correct style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proxied: setup ## Run the tests of the API through a proxy; no deviation is allowed
	$(BIN)/python -m pytest tests/client -n 3 --dist loadfile --through-proxy

faults: setup ## Try every call of every flow with every fault; the tests try a part of them
	$(BIN)/python -m pytest tests/faults/test_points.py --faults=all

simulate: setup ## Simulate schedules; ARGS="--schedules 20000"
	$(BIN)/python -m tests.simulation $(ARGS)

races: setup ## Run the races for longer than the tests do
	$(BIN)/python -m pytest -s -m "" --timeout 1800 --rounds 300 tests/faults/test_races.py tests/faults/test_trouble.py $(ARGS)

soak: setup ## Run simulated users for long, with processes that are killed
	$(BIN)/python -m tests.faults.soak $(ARGS)

bench: setup $(INTERPRETER) ## Print the figures of docs/performance.md
	$(BIN)/python -m benchmarks.streaming $(ARGS)
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.storage
	$(BIN)/python -m benchmarks.moving
	$(BIN)/python -m benchmarks.proxy
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.searching
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.pdf
	$(BIN)/python -m benchmarks.encodings
	$(BIN)/python -m benchmarks.telemetry
	$(BIN)/python -m benchmarks.interpreter
	$(BIN)/python -m benchmarks.coldstart

picture: setup ## Make the picture of the playground, docs/playground.png
	$(BIN)/python -m tests.support.browser.picture

compare: setup ## Measure two services side by side; ARGS="--a URL --b URL"
	$(BIN)/python -m benchmarks.sidebyside $(ARGS)

node: $(VENV)/.node ## Install the packages for Node.js that the tests run

matrix: $(MATRIX) $(FUNCTIONS) ## Install the versions of clients, and of azure-functions, that tests/matrix runs

update: ## Renew requirements.lock from the requirements; then run the tests
	@$(need_python)
	@echo "Resolving requirements-dev.txt for Python 3.11 to 3.14 ..."
	@rm -rf $(VENV)/update && $(PYTHON) -m venv $(VENV)/update && $(VENV)/update/bin/python $(PIP) uv
	@$(VENV)/update/bin/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make update" requirements-dev.txt -o requirements.lock
	@rm -rf $(VENV)/update

clean: ## Remove .venv, the data of `make run`, and caches
	rm -rf $(VENV) .data .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define need_python
test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed: make setup PYTHON=path/to/python3" >&2; exit 1; }
endef

$(VENV)/.requirements: requirements.txt requirements-dev.txt requirements.lock
	@$(need_python)
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the Python packages (about a minute) ..."
	@$(BIN)/python $(PIP) -r requirements.lock || { echo "The packages could not be installed, for \
	the reason above. pip reads a proxy from HTTPS_PROXY, another index from PIP_INDEX_URL and a certificate from \
	PIP_CERT. Then go on with: make setup" >&2; exit 1; }
	@touch $@

$(VENV)/.azurite: $(VENV)/.requirements assistants/local/azurite.py
	@$(BIN)/python -m assistants.local.azurite install
	@touch $@

# Where it fails, the service starts without it and says so; there is no mark then, and the next `make run` tries again.
$(VENV)/code_interpreter/.installed: $(VENV)/.requirements assistants/tools/code_interpreter/packages.lock
	@$(BIN)/python -m assistants.tools.code_interpreter.install || true

$(VENV)/.node: $(VENV)/.requirements tests/node/packages.py
	@$(BIN)/python -m tests.node.packages
	@touch $@

# Without the lock, which has a version of openai of their own.
$(VENV)/matrix/%/.requirements: tests/matrix/%.txt | setup
	@echo "Installing $* of the SDK for the tests of old and new versions ..."
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP) -r $<
	@touch $@

# Python 3.13 or later is needed, also one of pyenv; without one the test is skipped.
$(FUNCTIONS): tests/matrix/functions/2.txt requirements.txt | setup
	@python=$$(for p in python3.14 python3.13 "$$HOME"/.pyenv/versions/3.1[34]*/bin/python; do \
		"$$p" -c 'import sys; sys.exit(not (3, 13) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && echo "$$p" && break; done); \
	test -n "$$python" || { echo "azure-functions 2 needs Python 3.13 or 3.14: its test will be skipped"; exit 0; }; \
	echo "Installing the app with azure-functions 2 for its test ..." && \
	"$$python" -m venv $(@D) && $(@D)/bin/python $(PIP) -r $< && touch $@
