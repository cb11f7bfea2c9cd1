# Everything this project does, by name: type `make` to read the list.
#
# Each target sets up .venv by itself, from the exact versions in constraints.txt; nothing else need be installed
# but Python with its venv module. The variables below become Hydra overrides, and only when they are given:
#   make reproduce-table1 WORLD=paper PROTOCOL=released DEVICE=cuda ARGS="b_max=50 captions=100"
#   make reproduce-table1 LAUNCHER=slurm ARGS="hydra.launcher.partition=gpu"

PYTHON ?= python3
OVERRIDES = $(strip $(if $(EXPERIMENT),experiment=$(EXPERIMENT)) $(if $(WORLD),world=$(WORLD)) \
	$(if $(PROTOCOL),protocol=$(PROTOCOL)) $(if $(DEVICE),device=$(DEVICE)) \
	$(if $(LAUNCHER),hydra/launcher=$(LAUNCHER))) $(ARGS)
# A prompt reaches the command through its environment, so that no shell reads its quotes, nor make its dollars.
imagine: export ZEROSHOT_PROMPT := $(value PROMPT)

# Tests run in two processes of one thread each; the tests of a file stay together, with what they share.
PARALLEL := --numprocesses=2 --dist=loadfile

BIN := .venv/bin
READY := .venv/.stamp
DEV_READY := .venv/.stamp-dev
LAB_READY := .venv/.stamp-lab
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help reproduce reproduce-table1 reproduce-table2 reproduce-table3 reproduce-figure2 reproduce-figure3 \
	reproduce-claims reproduce-page verify imagine check show first-hour rehearse benchmark \
	test test-all test-cluster lint format notebooks lab prepare miniature measure-miniature setup setup-dev lock \
	clean clean-all

help: ## Print this list
	@echo "Usage: make TARGET [WORLD=miniature] [PROTOCOL=paper] [DEVICE=cpu] [EXPERIMENT=quick] [LAUNCHER=slurm] [ARGS=\"k=10 seed=42\"]"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "The variables become Hydra overrides of reproduce-*; ARGS takes any others and reaches *miniature too."
	@echo "PYTHON=python3.12 chooses the interpreter of .venv. Results appear under outputs/."

reproduce: $(READY) ## Everything: all tables, figures, the paper's claims, and a page that shows them
	$(BIN)/python -m experiments.reproduce all $(OVERRIDES)

reproduce-table1: $(READY) ## Table 1: best CLIP score and Fréchet distance, per generator and k
	$(BIN)/python -m experiments.reproduce table1 $(OVERRIDES)

reproduce-table2: $(READY) ## Table 2: images needed to pass the threshold
	$(BIN)/python -m experiments.reproduce table2 $(OVERRIDES)

reproduce-table3: $(READY) ## Table 3: Table 1 seed by seed
	$(BIN)/python -m experiments.reproduce table3 $(OVERRIDES)

reproduce-figure2: $(READY) ## Figure 2: best CLIP score against number of images
	$(BIN)/python -m experiments.reproduce figure2 $(OVERRIDES)

reproduce-figure3: $(READY) ## Figure 3: captions, their photographs and the images selected at k = 10 and 1,000
	$(BIN)/python -m experiments.reproduce figure3 $(OVERRIDES)

reproduce-claims: $(READY) ## Each claim of the paper, tested on these numbers
	$(BIN)/python -m experiments.reproduce claims $(OVERRIDES)

reproduce-page: $(READY) ## The page of what has been made: one file with tables, figures, claims and a gallery
	$(BIN)/python -m experiments.reproduce page $(OVERRIDES)

verify: $(READY) ## Tables, curves and metrics worked out again from the raw scores: make verify [FOLDER=outputs/…]
	$(BIN)/python -m experiments.verify "$(or $(FOLDER),outputs/$(or $(WORLD),miniature)/$(or $(PROTOCOL),paper))"

imagine: $(READY) ## Your own sentence: make imagine PROMPT="a small blue bird" [GENERATOR=biggan]
	$(BIN)/python -m experiments.imagine $(strip $(if $(GENERATOR),generator=$(GENERATOR)) $(OVERRIDES))

check: $(READY) ## A generator's sanity check, with a verdict: make check [GENERATOR=biggan] [ARGS="generators=[…]"]
	$(BIN)/python -m experiments.check $(strip $(if $(GENERATOR),generator=$(GENERATOR)) $(OVERRIDES))

show: $(READY) ## List finished and unfinished runs
	$(BIN)/python -m experiments.show $(ARGS)

first-hour: $(READY) ## Before hours are spent: 50 captions against the published numbers (WORLD=paper DEVICE=cuda)
	$(BIN)/python -m experiments.reproduce first_hour $(OVERRIDES)

rehearse: $(READY) ## What the real run will cost here: true sizes, random weights, no download
	$(BIN)/python -m experiments.rehearse $(if $(WORLD),world=$(WORLD)) $(if $(DEVICE),device=$(DEVICE)) $(ARGS)

benchmark: $(READY) ## What it costs on this machine: engine, pool, memory, distance, as ratios measured in one run
	$(BIN)/python -m experiments.benchmark $(if $(DEVICE),device=$(DEVICE)) $(ARGS)

# Without the variable each kernel warns of Python's own frozen modules.
notebooks lab: export PYDEVD_DISABLE_FILE_VALIDATION := 1

lab: $(LAB_READY) ## Open the notebooks in a browser (installs JupyterLab the first time)
	$(BIN)/jupyter-lab notebooks

notebooks: $(READY) ## Run the notebooks; the executed copies go to outputs/notebooks
	mkdir -p outputs/notebooks
	for notebook in notebooks/*.ipynb; do \
		$(BIN)/jupyter-execute --output="$(CURDIR)/outputs/notebooks/$$(basename "$$notebook")" "$$notebook" || exit 1; \
	done

prepare: $(READY) ## Download, check and unpack what world=paper needs; says what is missing
	$(BIN)/python -m experiments.prepare $(if $(WORLD),world=$(WORLD)) $(ARGS)

miniature: $(READY) ## Train the embedded world again, resuming where it stopped (into the package: ARGS=install=true)
	$(BIN)/python -m experiments.train_miniature $(ARGS)

measure-miniature: $(READY) ## Measure the embedded world: the figures in docs/miniature.md
	$(BIN)/python -m experiments.measure_miniature $(ARGS)

test: $(READY) ## Run the tests but for the slow ones
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

test-all: $(READY) ## Run all tests
	$(BIN)/python -m pytest $(PARALLEL)

test-cluster: $(READY) ## Run the core of the tests on a Slurm that they start (apt: slurm-wlm munge)
	$(BIN)/python -m pytest tests/experiments/test_slurm.py -k core -rs

lint: $(DEV_READY) ## Check style, formatting, types and that rooms import downwards
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV_READY) ## Mend style and formatting where that can be done automatically
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

setup: $(READY) ## Set up .venv to run and test

setup-dev: $(DEV_READY) ## Set up .venv to develop

lock: $(DEV_READY) $(LAB_READY) ## Write constraints.txt again from what is installed in .venv
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip > .venv/freeze.txt
	@! grep -n -e ' @ ' -e '+' .venv/freeze.txt || { echo "lock: the above come from outside the package index" >&2; exit 1; }
	{ echo "# The exact versions this project is tested with. Written by: make lock"; \
	  cat .venv/freeze.txt; } > constraints.txt
	touch $(READY) $(DEV_READY) $(LAB_READY)

clean: ## Remove caches; results and .venv stay
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find zeroshot experiments tests -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Remove caches and .venv; results stay
	rm -rf .venv

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, but '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name a newer one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up .venv; the first time takes several minutes and about 6 GB on Linux (PyTorch with CUDA)."
	@$(PYTHON) -m venv .venv || { \
		echo "'$(PYTHON) -m venv' failed; Debian and Ubuntu keep it in a package of its own: apt install python3-venv" >&2; exit 1; }
	$(INSTALL) ".[test]"
	@touch $@

$(DEV_READY): $(READY)
	$(INSTALL) ".[test,dev]"
	@touch $@

$(LAB_READY): $(READY)
	$(INSTALL) ".[test,lab]"
	@touch $@
