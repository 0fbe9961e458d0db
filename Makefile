# make demo | test | prove | bench | screens | lint | clean     (what each does: README.md)
#
# Needs Python 3.11 or newer with its venv module; everything else is installed into .venv from pinned requirements.
# Settings:  FRESH=1  BROWSER=skip  PYTEST_ARGS="-k board"  JOBS=2 (test processes)  PORTAL_PORT=8024  APP_PORT=8000  PYTHON=python3.12

PYTHON ?= python3
BROWSER ?=
PYTEST_ARGS ?=
JOBS ?= 2
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
BROWSER_FOUND := $(or $(CHROMIUM),$(shell command -v chromium))
APT_GET := DEBIAN_FRONTEND=noninteractive apt-get -qq

RUN := .venv/installed-run
DEV := .venv/installed-dev

.PHONY: demo test prove bench screens lint clean browser

demo: $(RUN)
	@exec $(PY) -m emulator.demo

test: $(DEV) browser
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(if $(filter skip,$(BROWSER)),-m "not browser") $(PYTEST_ARGS)

prove: $(DEV)
	PROVE=full $(PY) -m pytest -m prove $(PYTEST_ARGS)

bench: $(DEV) browser
	$(PY) -m tests.bench

screens: $(DEV) browser
	$(PY) -m tests.screens

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m djlint --quiet --lint $(wildcard templates emulator/pages/templates)

# Only what this checkout made in its own folder: never a VAR_DIR that points elsewhere.
clean:
	@if [ -x $(PY) ]; then for var in var var/test; do \
		$(PY) -m b24app.ledger.embedded remove --var-dir $$var || exit 1; done; fi
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@[ -x $(PY) ] || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "This Python cannot make virtual environments: install its venv module (Debian: python3-venv)"; exit 1; }
	$(PIP) install -qq -r requirements.txt
	@touch $@

$(DEV): $(RUN) requirements-dev.txt
	$(PIP) install -qq -r requirements-dev.txt
	@touch $@

# Browser tests need Chromium. Only root can install it; everybody else is told how.
browser:
ifeq ($(BROWSER),skip)
	@echo "BROWSER=skip: tests in a real browser are left out"
else ifeq ($(BROWSER_FOUND),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests…"; \
		$(APT_GET) update && $(APT_GET) install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	else \
		echo "Chromium is missing. Install it (Debian: apt-get install chromium), or leave the browser tests out:"; \
		echo "    make $(or $(MAKECMDGOALS),test) BROWSER=skip"; exit 1; \
	fi
endif
