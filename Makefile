# make lab opens the explorer, make test runs every check. Both set up what they need first.
.PHONY: lab test check unit notebooks browser outputs bench picture vectors build setup chromium clean
.NOTPARALLEL:

PYTHON ?= python3
LAB_ARGS ?=
WORKERS ?= 2
BUNDLE := rnn_widgets/static/lab.js
BUNDLE_SOURCES := $(shell find js/src rnn_widgets -path rnn_widgets/static -prune -o \
	\( -path 'js/src/*' -o -name '*.json' \) -type f -print)

ROOT_USER := $(filter 0,$(shell id -u))
APT_INSTALL := $(if $(ROOT_USER),,sudo) sh -c 'apt-get update && apt-get install -y "$$@"' --

# node and npm come from PyPI into .venv, so one set-up serves every machine.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DEBIAN_FRONTEND := noninteractive

# Matrices here are small: threads of torch would only wait for one another.
unit notebooks browser: export OMP_NUM_THREADS := 1

lab: setup
	jupyter lab $(if $(ROOT_USER),--allow-root) $(LAB_ARGS) notebooks/01_explorer.ipynb

test: check unit notebooks browser

check: setup
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	cd js && npm run lint
	cd js && npm run types

unit: setup
	cd js && npm test
	pytest tests -n $(WORKERS) --ignore tests/browser \
		--ignore tests/benchmarks/test_browser.py --ignore tests/benchmarks/test_explorer.py \
		--ignore tests/benchmarks/test_seeds.py --ignore tests/benchmarks/test_views.py

notebooks: setup
	pytest --nbval notebooks

browser: setup chromium
	pytest tests/browser -n $(WORKERS) --durations=12

# Run the tutorials and keep their outputs, which nbval then compares.
outputs: setup
	jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb \
		--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False

bench: setup chromium
	pytest tests/benchmarks --benchmark-enable --benchmark-only

# The README's picture, taken from the running product.
picture: setup chromium
	python -m tests.browser.picture

# The numbers that the browser's engine is held to, computed by Python's.
vectors: setup
	python tests/parity/vectors.py

build: setup
	rm -rf dist
	python -m build

setup: .venv/installed $(BUNDLE)

.venv/created:
	rm -rf .venv
	$(PYTHON) -m venv .venv || { $(APT_INSTALL) python3-venv && $(PYTHON) -m venv --clear .venv; }
	touch $@

.venv/installed: .venv/created pyproject.toml constraints.txt hatch_build.py
	pip install -c constraints.txt -e '.[dev]'
	touch $@

js/node_modules/installed: js/package.json js/package-lock.json | .venv/installed
	cd js && npm ci
	touch $@

$(BUNDLE): js/node_modules/installed js/tsconfig.json $(BUNDLE_SOURCES)
	cd js && npm run build
	touch $@

chromium:
	@command -v "$${CHROMIUM:-chromium}" || $(APT_INSTALL) chromium || { \
		echo "The browser tests need Chromium: install it, or set CHROMIUM to its executable." >&2; \
		exit 1; }

clean:
	rm -rf .venv js/node_modules rnn_widgets/static dist .hypothesis .benchmarks .*_cache
	find rnn_widgets tests -name __pycache__ -prune -exec rm -rf {} +
