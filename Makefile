# every path here is relative, so that a folder with a space in its name works
PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
GPU_ARGS ?=
KERNELS ?= kernels
VENV_PYTHON := .venv/bin/python
STATE := .venv/state

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help bench test quick-test check gpu gpu-cache figures docs docs-serve dist clean FORCE

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo '  options: PYTHON=python3.12  PIP_ARGS="options of pip install"  PYTEST_ARGS="options of pytest"'

bench: $(STATE)/bench ## measure the quick sweep: a table, the records and a figure
	$(VENV_PYTHON) -m spikebench run quick

test: $(STATE)/test ## run the tests
	$(VENV_PYTHON) -m pytest $(PYTEST_ARGS)

quick-test: $(STATE)/test ## run one case of every test, and none that takes long: while you work
	$(VENV_PYTHON) -m pytest --quick $(PYTEST_ARGS)

check: $(STATE)/check ## check format, lint, types and imports between packages
	$(VENV_PYTHON) -m ruff format --check
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m basedpyright --pythonpath $(VENV_PYTHON)
	$(VENV_PYTHON) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-cache

# from the source tree, with the Python there is: nothing is installed and nothing fetched
gpu: ## measure on a GPU in at most 10 minutes: make gpu GPU_ARGS="--commit HASH --out FOLDER"
	PYTHONPATH=. $(PYTHON) -m spikebench gpu $(GPU_ARGS)

# on any machine: for an H100 and an A100; the folder serves the version of triton that made it, so PYTHONPATH may name another
gpu-cache: ## compile the kernels of make gpu ahead, to be carried to a GPU: make gpu-cache KERNELS=FOLDER
	PYTHONPATH=.:$(PYTHONPATH) $(PYTHON) -m spikebench gpu --compile-only --kernels $(KERNELS) --capability 90 --capability 80 $(GPU_ARGS)

figures: $(STATE)/bench ## draw the README's figures and tables from the committed records
	$(VENV_PYTHON) -m spikebench plot speedup results/amd-epyc-f25m1-2c/quick.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot scaling results/amd-epyc-f25m1-2c/quick.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot scaling results/amd-epyc-f25m1-2c/length.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot frontier results/amd-epyc-f25m1-2c/quick.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot frontier results/amd-epyc-f25m17-2c/schemes.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot scaling results/amd-epyc-f25m17-2c/schemes.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot plane results/amd-epyc-f25m17-2c/schemes.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot pareto results/amd-epyc-f25m1-2c/quick.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot pareto results/amd-epyc-f25m1-2c/fsdd.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot waterfall results/amd-epyc-f25m17-2c/claims.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot learning results/amd-epyc-f25m1-2c/listops.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot libraries 'results/amd-epyc-*/libraries.jsonl' -o docs/figures
	$(VENV_PYTHON) -m spikebench plot headline results/amd-epyc-f25m17-2c/claims.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot bottleneck results/amd-epyc-f25m17-2c/bottleneck.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot agreement results/amd-epyc-f25m17-2c/agreement.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot parallel results/intel-xeon-f6m167-2c/parallel.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench plot depth results/intel-xeon-f6m167-2c/depth.jsonl -o docs/figures
	$(VENV_PYTHON) -m spikebench list neurons --markdown > docs/neurons.md
	$(VENV_PYTHON) docs/libraries.py

docs: $(STATE)/docs ## build the documentation into site/
	$(VENV_PYTHON) -m mkdocs build

docs-serve: $(STATE)/docs ## build the documentation and show it at localhost:8000, again after every change
	$(VENV_PYTHON) -m mkdocs serve

dist: $(STATE)/check ## build the wheel and the source archive into dist/
	$(VENV_PYTHON) -m build --no-isolation

clean: ## remove the virtual environment and caches; measurements stay
	rm -rf .venv .asv .benchmarks .hypothesis .pytest_cache .ruff_cache .import_linter_cache build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# state/whole: the environment is whole and was made in this folder. It is away while pip works, so that an interrupted
# install is redone from nothing; mv keeps its time, so that what is installed stays newer.
EXTRAS_bench := cpu,tasks
EXTRAS_docs := cpu,tasks,asv,docs
EXTRAS_test := cpu,triton,tasks,asv,nir,test
EXTRAS_check := cpu,triton,tasks,asv,nir,test,dev

$(STATE)/bench $(STATE)/test $(STATE)/check $(STATE)/docs: pyproject.toml constraints.txt $(STATE)/whole
	@mv $(STATE)/whole $(STATE)/unfinished
	$(VENV_PYTHON) -m pip install --no-compile $(PIP_ARGS) -c constraints.txt -e '.[$(EXTRAS_$(@F))]'
	@# without what it depends on: see the extra `tasks` in pyproject.toml
	$(VENV_PYTHON) -m pip install --no-compile $(PIP_ARGS) -c constraints.txt --no-deps aeon
	@# pip does it on one core, for things never imported too
	@$(VENV_PYTHON) -m compileall -q -j 0 -x '/tests?/' .venv/lib >/dev/null || true
	@mv $(STATE)/unfinished $(STATE)/whole
	@touch $@

$(STATE)/whole:
	@'$(PYTHON)' -c '' || { echo >&2 "make: cannot run '$(PYTHON)': install Python 3.11 or newer (Debian, Ubuntu: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3"; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 "make: '$(PYTHON)' is $$('$(PYTHON)' -V 2>&1), and spikebench needs Python 3.11 or newer: install one and name it: make PYTHON=python3.12"; exit 1; }
	@rm -rf .venv
	@'$(PYTHON)' -m venv .venv || { rm -rf .venv; echo >&2 "make: '$(PYTHON)' cannot make a virtual environment, mostly because the package python3-venv is missing (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@mkdir $(STATE) && pwd -P > $@

# redone when its Python or pip is gone, the folder was moved, or another PYTHON= is asked for
base = $(shell { $(1) -c 'import sys; print(sys.base_prefix, sys.version)'; } 2>/dev/null)
ifneq ($(wildcard .venv),)
ifneq ($(shell cat $(STATE)/whole 2>/dev/null),$(shell pwd -P))
$(STATE)/whole: FORCE
else ifneq ($(shell { $(VENV_PYTHON) -c 'import pip; print("works")'; } 2>/dev/null),works)
$(STATE)/whole: FORCE
else ifneq ($(filter command environment,$(word 1,$(origin PYTHON))),)
ifneq ($(call base,$(VENV_PYTHON)),$(call base,'$(PYTHON)'))
$(STATE)/whole: FORCE
endif
endif
endif

FORCE:
