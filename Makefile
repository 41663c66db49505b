# For a fresh machine. `make demo` goes from photos to a model; `make test` runs every check; `make docs` makes the site.
# Each sets up its own .venv with the versions pinned in constraints.txt and the CPU build of torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install -q --no-compile
# Where the CPU build of torch is published; name another build's index here to use a GPU.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := $(shell grep '^torch==' constraints.txt)
DEMO_OUT ?= run
DEMO_BUDGET ?= 150s

.PHONY: demo test lint types unit docs clean

demo: $(VENV)/.ready-demo
	$(BIN)/headstart run demo/fashion_mnist_1000.zip --budget $(DEMO_BUDGET) --out $(DEMO_OUT)

test: lint
	@$(MAKE) --no-print-directory -j 2 types unit

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-test
	$(BIN)/mypy

# Tests write thousands of small files and wait for each to reach the disk: they go to memory where that has room and may
# hold programs.
SCRATCH = $(shell spare=$$(mktemp -d -p /dev/shm 2>/dev/null) && cp /bin/true $$spare && $$spare/true \
	&& [ "$$(df -Pm /dev/shm | awk 'END {print $$4}')" -gt 4000 ] && echo /dev/shm || echo "$${TMPDIR:-/tmp}"; rm -rf "$$spare")

# Tests of one file stay on one core as a rule, and share its fixtures.
unit: $(VENV)/.ready-test
	TMPDIR=$(SCRATCH) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -o tmp_path_retention_policy=failed

# Runs every example of the documentation and makes the site: open build/docs/index.html
docs: $(VENV)/.ready-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -E -q -W --keep-going docs build/docs

$(VENV)/.ready-torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing $(TORCH), the CPU build."
	@if [ "$$(uname -s)" != Linux ]; then $(INSTALL) "$(TORCH)"; \
	elif $(INSTALL) "$(TORCH)+cpu" 2>/dev/null; then :; \
	else $(INSTALL) "$(TORCH)" torchvision -c constraints.txt --index-url $(TORCH_INDEX); fi
	@touch $@

$(VENV)/.ready-demo: $(VENV)/.ready-torch pyproject.toml
	$(INSTALL) -c constraints.txt -e ".[zoo,speed]"
	@touch $@

# With all extras the demo is ready too. pip would compile on one core, and much that is never imported.
$(VENV)/.ready-test: $(VENV)/.ready-torch pyproject.toml
	$(INSTALL) -c constraints.txt -e ".[all,dev]"
	@$(BIN)/python -W ignore -m compileall -qq -j 2 -x '/tests?/' $(VENV)/lib || true
	@touch $@ $(VENV)/.ready-demo

$(VENV)/.ready-docs: $(VENV)/.ready-test
	$(INSTALL) -c constraints.txt -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO_OUT) build dist
