# make test    set up (once) and run the tests
# make demo    set up (once) and run the main job: a paused MPI simulation
# make check   format, lint, types, import contracts, docs
# make bench   the figures of docs/performance.md
# make vscode  a real VS Code on paused ranks, and other editors: some 700 MB and a few minutes, so only when asked for
# make torch   a torch for the CPU, for the test of torchrun, which is skipped without
# A fresh clone needs Python 3.11 or newer and nothing else; PYTHON=... names one that is not on PATH as python3.

SHELL  := /bin/bash
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
NEW_ENOUGH = test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
TESTS  ?=

.PHONY: test demo check bench setup house tools torch vscode clean

test: setup tools
	$(PY) -m pytest $(TESTS)
	$(if $(TESTS),,$(PY) tests/pythons.py)

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

# What the tests use beside Python packages: programs, where root can install them, and environments of their own below
# build/env. Tests that need what is missing are skipped, and say so.
PROGRAMS := tmux slurmctld munged chromium
PACKAGES := tmux slurm-wlm munge chromium

tools: setup $(VENV)/.browser
	@missing() { for p in $(PROGRAMS); do PATH="$$PATH:/usr/sbin:/sbin" command -v $$p >/dev/null || echo $$p; done; }; \
	install() { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 $(PACKAGES) >/dev/null 2>&1 </dev/null; }; \
	test -z "$$(missing)" || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ install || { apt-get update -qq >/dev/null 2>&1 && install; }; }; }; \
	test -z "$$(missing)" || echo "not installed: $$(echo $$(missing)); tests that need them are skipped" >&2
	@test -d tests/node_dap/node_modules || { command -v npm >/dev/null && \
		npm install --prefix tests/node_dap --no-audit --no-fund --no-package-lock --silent >/dev/null; } || \
		echo "npm is not installed, or reaches no registry: tests with its packages are skipped" >&2
	@$(PY) tests/environments.py openmpi || true
	@test -z "$$CI" || $(PY) tests/environments.py torch || true

# JupyterLab and Playwright: a minute's download that only tests need.
$(VENV)/.browser: $(STAMP)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[browser]' || \
		echo "JupyterLab or Playwright cannot be installed: tests that need them are skipped" >&2
	@touch $@

# torch for the test of torchrun: some 200 MB, so only in CI or when asked for. Never a build for a GPU, which would be gigabytes.
torch: setup
	$(PY) tests/environments.py torch

# VS Code is built by npm with Kerberos' headers. DRAW_PICTURES=1 draws the pictures of docs/guide/editor.md anew.
EDITORS := libkrb5-dev pkg-config emacs-nox elpa-dap-mode
vscode: tools
	@dpkg -s $(EDITORS) >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(EDITORS) >/dev/null; } || \
		echo "not installed: $(EDITORS); tests that need them are skipped" >&2
	$(PY) tests/environments.py vscode
	@$(PY) tests/environments.py neovim || true
	$(PY) -m pytest tests/vscode tests/emacs tests/neovim

# The package as it is when installed, magics/ inside it, for the tools that look at files.
house:
	@rm -rf build/house && mkdir -p build/house/pxshell
	@ln -s $(CURDIR)/pxshell/* $(CURDIR)/magics build/house/pxshell/

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
