# Two commands do all the set-up: `make eval` and `make test`. Versions come from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
ENGINES := $(VENV)/.engines
PROXY := .venv-proxy

.PHONY: eval test test-engines check format lint types contract prompts clean help

help:  ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(CORE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet pip==26.3
	$(PIP) install --quiet --constraint constraints.txt --editable .
	$(BIN)/python -m compileall -q llmops  # pip compiles what it installs, but not what it links to
	touch $@

# torch comes first and alone: only this release has a CPU build, and a range would bring gigabytes of CUDA.
$(DEV): $(CORE)
	$(PIP) install --quiet torch==2.13.0
	$(PIP) install --quiet --constraint constraints.txt --editable ".[documents,local,postgres]" --group dev
	touch $@

eval: $(CORE)  ## Install the core and evaluate the sample project.
	$(BIN)/llmops eval

test: $(DEV)  ## Install what development needs and run all tests, a file at a time on each processor.
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder  # the slow files come first

$(ENGINES): $(DEV)
	$(PIP) install --quiet --constraint constraints.txt --editable ".[pii,ray]" --group engines
	touch $@

# LiteLLM's proxy pins what it needs, so it has an environment of its own; llmops serves routes from inside it.
$(PROXY)/.done: pyproject.toml
	$(PYTHON) -m venv $(PROXY)
	$(PROXY)/bin/python -m pip --disable-pip-version-check install --quiet "litellm[proxy]==1.106.2" --editable .
	touch $@

test-engines: $(ENGINES) $(PROXY)/.done  ## Evaluate a real local engine and a Ray cluster, and serve routes through LiteLLM's proxy.
	$(BIN)/python -m pytest tests/engines

prompts: $(CORE)  ## Check the versions and labels of the sample project's prompts, and lint them.
	$(BIN)/llmops prompt check
	$(BIN)/llmops prompt lint

check: format lint types contract prompts test eval  ## Everything that CI runs.

format: $(DEV)  ## Check the formatting.
	$(BIN)/ruff format --check llmops tests benchmarks

lint: $(DEV)
	$(BIN)/ruff check llmops tests benchmarks

types: $(DEV)
	$(BIN)/mypy

contract: $(DEV)  ## Check which package may import which.
	$(BIN)/lint-imports --no-cache

clean:  ## Remove what was installed and computed.
	rm -rf $(VENV) $(PROXY) .llmops
