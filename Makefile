VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
MATRIX := $(patsubst tests/matrix/%.txt,$(VENV)/matrix/%/.requirements,$(wildcard tests/matrix/*.txt))

.PHONY: setup run test proxied faults simulate races soak matrix node bench lint format clean

setup: $(VENV)/.requirements $(VENV)/.azurite

$(VENV)/.requirements: requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.10 or newer is needed: make setup PYTHON=path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/.azurite: $(VENV)/.requirements assistants/local/azurite.py
	$(BIN)/python -m assistants.local.azurite install
	@touch $@

$(VENV)/.node: $(VENV)/.requirements tests/node/packages.py
	$(BIN)/python -m tests.node.packages
	@touch $@

node: $(VENV)/.node

bench: setup
	$(BIN)/python -m benchmarks.streaming $(ARGS)
	$(BIN)/python -m benchmarks.proxy
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.searching
	$(BIN)/python -m benchmarks.hostile

run: setup
	$(BIN)/python -m assistants.local $(ARGS)

test: setup node
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The tests of the API again, through a proxy that may find nothing.
proxied: setup
	$(BIN)/python -m pytest tests/client -n 3 --dist loadfile --through-proxy

# Every call of every flow with every fault, of which `make test` tries a part.
faults: setup
	$(BIN)/python -m pytest tests/faults/test_points.py --faults=all

# As many schedules as ARGS says; then for longer than the tests do it: requests that meet, and a soak.
simulate: setup
	$(BIN)/python -m tests.simulation $(ARGS)

races: setup
	$(BIN)/python -m pytest -s --timeout 1800 --rounds 300 tests/faults/test_races.py tests/faults/test_trouble.py $(ARGS)

soak: setup
	$(BIN)/python -m tests.faults.soak $(ARGS)

# The versions of the SDK that tests/matrix tries.
matrix: $(MATRIX)

$(VENV)/matrix/%/.requirements: tests/matrix/%.txt | setup
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .data .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
