# Everything runs from .venv; nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
MODEL ?= smollm2
# TESTERS=2 tests in two processes; each opens its own models (1.5 GB).
TESTERS ?=
# What a plain machine proves in minutes; .ci/run proves the rest.
ELSEWHERE := slow or vllm or postgres or browser or milvus or models or ray

.DEFAULT_GOAL := help
.PHONY: help install run test check bench lock vllm multilingual

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/installed: requirements/default.lock touchstone.py
	@$(PYTHON) -c 'import sys; sys.exit("Touchstone needs Python 3.11 or newer: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --no-compile --no-deps --disable-pip-version-check -r requirements/default.lock
	$(BIN)/pip install -q --no-compile --no-deps --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: requirements/dev.lock $(VENV)/installed
	$(BIN)/pip install -q --no-compile --no-deps --disable-pip-version-check -r requirements/dev.lock
	@touch $@

install: $(VENV)/installed ## set up .venv, with the command .venv/bin/touchstone

run: $(VENV)/installed ## ingest the demo corpus and serve it on port 8000
	@$(BIN)/touchstone ingestion run
	@$(BIN)/touchstone serve --port $(PORT)

test: $(VENV)/installed-dev ## run the tests that need minutes and no servers
	$(BIN)/python -m pytest $(if $(TESTERS),-n $(TESTERS) --dist loadfile) -m "not ($(ELSEWHERE))"
	@echo 'Not run here, but by .ci/run: tests marked $(ELSEWHERE).'

check: $(VENV)/installed-dev ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev ## measure speed beside peers
	$(BIN)/touchstone evals bench gateway --json
	$(BIN)/touchstone evals bench embed --json
	$(BIN)/touchstone evals bench ingest --json
	$(BIN)/touchstone evals bench upsert --json

lock: ## resolve the exact versions anew
	uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url -o requirements/default.lock pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --extra dev -c requirements/default.lock -o requirements/dev.lock pyproject.toml

multilingual: $(VENV)/installed ## build the embedder for every language (fetches 91 MB, no torch)
	@$(BIN)/touchstone ingestion multilingual

vllm: ## start a real vLLM on the CPU; MODEL=smollm2, tiny, a folder or a hub's name
	MODEL=$(MODEL) deploy/vllm/serve
