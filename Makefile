# make test    set up (once) and run the tests
# make demo    set up (once) and run the main job: a paused MPI simulation
# make check   format, lint, types, import contracts, docs
# make bench   the figures of docs/performance.md
# A fresh clone needs Python 3.11 or newer and nothing else; PYTHON=... names one that is not on PATH as python3.

SHELL  := /bin/bash
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
NEW_ENOUGH = test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
TESTS  ?=

.PHONY: test demo check bench setup house tools clean

test: setup tools
	$(PY) -m pytest $(TESTS)

demo: setup
	$(PY) examples/mpi_sim/demo.py

check: setup house
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	cd build/house && ../../$(VENV)/bin/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p pxshell
	cd build/house && ../../$(VENV)/bin/lint-imports --config ../../pyproject.toml --no-cache
	$(PY) docs/check.py

bench: setup
	$(PY) benchmarks/run.py

setup: $(STAMP)

$(STAMP): pyproject.toml
	@test -x $(PY) || $(NEW_ENOUGH) || { \
		echo "pxshell needs Python 3.11 or newer: make PYTHON=/path/to/python3 (found: $(or $(PYTHON),none on PATH))" >&2; exit 1; }
	@test -x $(PY) || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) >/dev/null 2>&1; } || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get install -qq -y python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); } || { \
		rm -rf $(VENV); echo "$(PYTHON) -m venv failed: install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev,mpi,plot]'
	@touch $@

# What the tests use beside Python packages. Without tmux the tests of the terminal are skipped.
tools:
	@command -v tmux >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -qq -y tmux || { apt-get update -qq && apt-get install -qq -y tmux; }; } >/dev/null 2>&1; } || \
		echo "tmux is not installed: tests that need it are skipped" >&2

# The package as it is when installed, magics/ inside it, for the tools that look at files.
house:
	@rm -rf build/house && mkdir -p build/house/pxshell
	@ln -s $(CURDIR)/pxshell/* $(CURDIR)/magics build/house/pxshell/

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
