.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
RELEASED := openapi/released/openapi.json
TEST_PROCESSES ?= $(shell echo $$(($$(nproc) * 2))) # more than cores: tests wait for other processes

##@ Use
.PHONY: serve
serve: install ## Start the server with a demo company; print its API key and a curl command
	@$(BIN)/distribu db upgrade
	@$(BIN)/distribu demo
	@exec $(BIN)/distribu serve

.PHONY: install
install: .venv/installed ## Set up .venv with the locked dependencies and the distribu command

##@ Develop
.PHONY: test
test: .venv/tested ## Run all tests but those of generated clients on SQLite and on PostgreSQL
	@rm -rf build/produced
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --ignore tests/clients
	@$(BIN)/python -m tests.contract.produced

.PHONY: clients
clients: .venv/tested tests/clients/typescript/node_modules ## Generate clients in every language of docs/clients.md, compile and use them
	@$(BIN)/python -m pytest tests/clients

.PHONY: check
check: lint types imports spec compatibility ## Everything except the tests

.PHONY: lint
lint: .venv/tested ## Code style (ruff)
	@$(BIN)/ruff check . openapi/schemathesis && $(BIN)/ruff format --check . openapi/schemathesis

.PHONY: types
types: .venv/tested ## Types (mypy --strict)
	@$(BIN)/mypy

.PHONY: imports
imports: .venv/tested ## Direction of imports (import-linter)
	@$(BIN)/lint-imports

.PHONY: spec
spec: .venv/tested ## The OpenAPI document: Spectral, OWASP and Redocly rules (needs Node.js)
	@mkdir -p build
	@for edition in 3.0 3.1; do $(BIN)/distribu openapi --edition $$edition --server https://distribu.example > build/openapi-$$edition.yaml || exit 1; done
	@openapi/lint/run.sh build/openapi-3.0.yaml build/openapi-3.1.yaml

.PHONY: compatibility
compatibility: .venv/tested ## The OpenAPI document, against that of the last release
	@mkdir -p build && $(BIN)/distribu openapi --format json > build/openapi-3.0.json
	@$(BIN)/distribu openapi diff --breaks $(RELEASED) build/openapi-3.0.json

.PHONY: released
released: .venv/tested ## Keep the OpenAPI document as that of the last release
	@$(BIN)/distribu openapi --format json --server https://distribu.example > $(RELEASED)

.PHONY: prism
prism: .venv/tested openapi/prism/node_modules ## Run the HTTP tests with Prism between client and server (needs Node.js)
	@rm -rf build/prism
	@$(BIN)/python -m pytest -p tests.support.prism -n $(TEST_PROCESSES) --dist loadfile -k sqlite tests/http
	@echo "Prism validated $$(cat build/prism/*.log | grep -c 'Received forward response') responses: 0 violations."

.PHONY: exchanges
exchanges: .venv/tested ## Record the v1 exchanges again, after a deliberate change
	@$(BIN)/python -m tests.contract.exchanges

.PHONY: docs
docs: .venv/tested ## Write the generated parts of docs/*.md, all of docs/api/, and llms.txt
	@$(BIN)/python -m app.cli.reference
	@$(BIN)/python -m tests.contract.error_page
	@$(BIN)/python -m tests.contract.operation_matrix
	@$(BIN)/python -m tests.contract.response_matrix
	@$(BIN)/python -m app.api_reference.files

.PHONY: pictures
pictures: .venv/tested ## Make the pictures of the README from a running server (needs Chromium)
	@$(BIN)/python -m tests.docs.pictures

.PHONY: renderer
renderer: ## Fetch the renderer of the reference page again, and check it (needs npm)
	@app/http/reference/renderer/update.sh

.PHONY: bench
bench: .venv/tested ## Load this server, and others in turn: PEERS="--peer NAME URL KEY"
	@$(BIN)/python -m benchmarks load $(PEERS) $(PROFILE)

.PHONY: bench-memory
bench-memory: .venv/tested ## Send a million requests to one process and watch its memory
	@$(BIN)/python -m benchmarks memory

.PHONY: bench-page
bench-page: .venv/tested ## Write docs/performance.md and its picture from the results
	@$(BIN)/python -m benchmarks page

.PHONY: bench-limits
bench-limits: .venv/tested ## Measure requests, reports and imports with much data, on both databases
	@$(BIN)/python -m benchmarks limits

.PHONY: lock
lock: ## Pin the newest allowed dependencies, with hashes (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra postgresql --extra redis --extra build --upgrade setup.cfg -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--all-extras --constraint requirements.lock setup.cfg -o requirements-dev.lock

.PHONY: clean
clean: ## Remove build artifacts; keep data/
	rm -rf .venv build *.egg-info

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Distribu needs Python 3.11 or later. Name one: make PYTHON=python3.12 serve" >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/installed: requirements.lock setup.cfg pyproject.toml | .venv/bin/python
	@echo "Installing the locked dependencies into .venv …" >&2
	@$(INSTALL) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tested: requirements-dev.lock .venv/installed
	@echo "Installing the locked test tools into .venv …" >&2
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

%/node_modules: %/package-lock.json
	@npm ci --prefix $* --no-progress
	@touch $@
