# For a fresh machine. `make demo` goes from photos to a model; `make test` runs every check; `make docs` makes the site.
# Each sets up its own .venv with the versions pinned in constraints.txt and the CPU build of torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Where the CPU build of torch is published; name another build's index here to use a GPU.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := $(shell grep '^torch==' constraints.txt)
DEMO_OUT ?= run

.PHONY: demo test lint types unit docs clean

demo: $(VENV)/.ready-demo
	$(BIN)/headstart run demo/fashion_mnist_1000.zip --budget 150s --out $(DEMO_OUT)

test: lint
	@$(MAKE) --no-print-directory -j 2 types unit

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-test
	$(BIN)/mypy

# Tests of one file stay on one core as a rule, and share its fixtures.
unit: $(VENV)/.ready-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# Runs every example of the documentation and makes the site: open build/docs/index.html
docs: $(VENV)/.ready-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -E -q -W --keep-going docs build/docs

$(VENV)/.ready-torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing $(TORCH), the CPU build."
	@if [ "$$(uname -s)" != Linux ]; then $(PIP) install -q "$(TORCH)"; \
	elif $(PIP) install -q "$(TORCH)+cpu" 2>/dev/null; then :; \
	else $(PIP) install -q "$(TORCH)" torchvision -c constraints.txt --index-url $(TORCH_INDEX); fi
	@touch $@

$(VENV)/.ready-demo: $(VENV)/.ready-torch pyproject.toml
	$(PIP) install -q -c constraints.txt -e ".[zoo,speed]"
	@touch $@

# With all extras the demo is ready too.
$(VENV)/.ready-test: $(VENV)/.ready-torch pyproject.toml
	$(PIP) install -q -c constraints.txt -e ".[all,dev]"
	@touch $@ $(VENV)/.ready-demo

$(VENV)/.ready-docs: $(VENV)/.ready-test
	$(PIP) install -q -c constraints.txt -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO_OUT) build dist
