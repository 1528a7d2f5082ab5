# Two commands for a machine with Python, git and make: `make demo` and `make test`.
# `make docs` builds the documentation and runs the examples on its pages. Each makes the virtual environment that it needs. PYTHON and VENV may be set.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-lowest test-peers lint docs clean

demo: $(VENV)/.installed
	$(BIN)/phasenet-keras demo --output demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# With the lowest versions that setup.cfg allows, which need the oldest Python; with the newest, which
# need a new one: make test PYTHON=python3.13 VENV=.venv-3.13
test-lowest: $(VENV)-lowest/.installed
	$(VENV)-lowest/bin/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

# Programs that read our picks, in an environment of their own.
test-peers: $(VENV)-peers/.installed
	$(VENV)-peers/bin/python -m pytest tests/test_peers.py

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# -n: a name in a docstring that nothing goes by is a warning, and -W makes it an error.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html -d docs/_build/doctrees docs docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b doctest -d docs/_build/doctrees docs docs/_build/doctest
	@echo "the documentation is in docs/_build/html/index.html"

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-peers demo docs/_build docs/_generated

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt install python3-venv"; exit 1; }

$(VENV)/.installed: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lint]'
	@touch $@

$(VENV)-lowest/.installed: setup.cfg
	@$(PYTHON) -m venv $(VENV)-lowest
	@$(PYTHON) tools/lowest_requirements.py setup.cfg > $(VENV)-lowest/lowest.txt
	@$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' \
	  --constraint $(VENV)-lowest/lowest.txt
	@touch $@

$(VENV)-peers/.installed: setup.cfg
	@$(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[peers]'
	@touch $@

$(VENV)/.installed-docs: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@ $(VENV)/.installed
