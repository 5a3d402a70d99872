# Commands for users and developers. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
demo run: export DEBUG ?= true
# Python must write compiled files: packages are installed uncompiled, and otherwise every process would compile a thousand modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The locks are complete, so pip has nothing to resolve. Modules that are never imported need no compilation.
INSTALL := --disable-pip-version-check install --quiet --require-hashes --no-deps --no-compile
PIP := $(BIN)/python -m pip $(INSTALL)

# The interpreter's own pip runs from its wheel: to install it first, for one use, would take longer than all that it is used for.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(BIN)/python requirements/bundled_pip.py $(INSTALL) -r requirements/installer.txt

# Each lock includes the previous ones: `.dev` includes the runtime, and `.train` installs both.
$(VENV)/.runtime: requirements/runtime.txt | $(BIN)/pip
	@echo "installing the runtime into $(VENV) ..."
	@$(PIP) -r requirements/runtime.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/runtime.txt | $(BIN)/pip
	@echo "installing the runtime and the dependencies of tests and checks into $(VENV) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $(VENV)/.runtime $@

$(VENV)/.train: requirements/train.txt requirements/dev.txt requirements/runtime.txt | $(BIN)/pip
	@echo "installing the runtime, the dependencies of tests and checks, and TensorFlow into $(VENV) ..."
	@$(PIP) -r requirements/dev.txt -r requirements/train.txt
	@touch $(VENV)/.runtime $(VENV)/.dev $@

# For the tests of accessibility and of the widget. Without npm these tests are skipped, with the reason.
node_modules/.installed: package-lock.json
	@if command -v npm >/dev/null; then echo "installing what builds and tests the widget ..."; \
	  npm ci --ignore-scripts --no-audit --no-fund --silent && touch $@ || echo "npm could not install it"; fi

# Settings for development, so that commands copied from the README need no variables. A deployment makes its own.
.env:
	@cp .env.example $@ && echo "made .env for development, from .env.example"

# Said before the shop is drawn, which takes a minute.
.PHONY: free-port
free-port:
	@$(BIN)/python -P lookalike/ports.py $(PORT)

.PHONY: demo
demo: $(VENV)/.runtime .env ## install, create a demo shop, index it and serve it (PORT=8000)
	@$(MAKE) --no-print-directory free-port
	@$(BIN)/python manage.py demo --migrate --port $(PORT)
	@$(MAKE) --no-print-directory serve

.PHONY: serve
serve: export DEBUG ?= true
# As in images: less memory stays unused.
serve: export MALLOC_ARENA_MAX ?= 2
serve: $(VENV)/.runtime
	@$(MAKE) --no-print-directory free-port
	@echo "serving on http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)"
	@$(BIN)/gunicorn lookalike.wsgi --bind 127.0.0.1:$(PORT) --workers 1 --threads 4 --log-level warning

.PHONY: run
run: $(VENV)/.dev .env ## serve the code with reload, for development (PORT=8000)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py runserver 127.0.0.1:$(PORT)

.PHONY: setup
setup: $(VENV)/.train .env ## install the whole development environment, with TensorFlow, in .venv

.PHONY: test
test: $(VENV)/.dev node_modules/.installed ## run all tests in parallel; the summary lists skipped tests with the reason
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## check style, types, import rules, migrations, API schema
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports
	@DEBUG=true $(BIN)/python manage.py makemigrations --check --dry-run
	@DEBUG=true $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	@$(BIN)/python deploy/pins.py
	@echo "lint: all good"

$(VENV)/audit/.installed: requirements/audit.txt | $(BIN)/pip
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip $(INSTALL) -r $<
	@touch $@

.PHONY: audit
audit: $(VENV)/audit/.installed ## check the pinned packages for known vulnerabilities
	@$(VENV)/audit/bin/python requirements/audit.py

.PHONY: widget
widget: node_modules/.installed ## build the widget from widget/src (needs npm)
	@npm run --silent build

.PHONY: messages
messages: $(VENV)/.runtime ## bring translations up to date with the texts in the source
	@$(BIN)/python -m lookalike.translations

.PHONY: bench
bench: $(VENV)/.train ## measure speed and quality; print tables, write bench/results/
	@for bench in encoder_speed photos_to_points similar_latency processor_time web_process similar_rules many_photos vector_index million aspect learning fine_tuning fine_tuning_seeds further_labels product_page import_catalog duplicates matches doctor load changing_shop worker_kills outages reindexing shared_photos filter_recall parts foreground text_relevance short_words text_map text_memory search_latency this_but_colour deeprank query_time; do $(BIN)/python -m bench.$$bench || exit 1; done

.PHONY: screenshots
screenshots: $(VENV)/.dev ## take the pictures in docs/images again, from a demo shop of its own (or ADDRESS=...)
	@$(BIN)/python -m docs.screenshots $(ADDRESS)

.PHONY: lock
lock: ## lock the dependencies of pyproject.toml, with hashes (needs uv)
	@for extra in runtime dev train otel heif faiss s3 text; do \
	  flag=$$( [ $$extra = runtime ] || echo "--extra $$extra" ); \
	  [ $$extra != otel ] || flag="$$flag --constraint requirements/train.txt"; \
	  uv pip compile pyproject.toml $$flag --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-annotate --no-header --quiet -o requirements/$$extra.txt || exit 1; done
	@for group in audit installer; do \
	  uv pip compile --group $$group --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-annotate --no-header --quiet -o requirements/$$group.txt || exit 1; done

.PHONY: clean
clean: ## remove the environment, the demo's data and caches
	rm -rf $(VENV) node_modules var build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
