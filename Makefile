# Verbs of the project. Everything is made inside .venv, from requirements.lock.
NEWER := -c "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
# The first of these that is new enough.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python $(NEWER) 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# The campaign to run; without it, the simulated demo.
CONFIG ?=
CAMPAIGN := $(or $(CONFIG),config/config.yaml)
# How many of its exposures are planned and run together; the engine is slow with thousands.
BATCH ?= 250
# A module stays with one process, which runs a campaign that its tests share once.
PYTEST_ARGS ?= -n 2 --dist loadscope

.PHONY: help env run verify audit archive-tools test test-all lint format lock bench docs reliability clean demo-numbers

help:
	@echo "make env     make .venv from requirements.lock"
	@echo "make run     run a campaign: the simulated demo, or CONFIG=my_campaign.yaml,"
	@echo "             250 exposures at a time, or BATCH=number"
	@echo "make env-slurm  add Snakemake's Slurm executor to it, from requirements-slurm.lock"
	@echo "make env-s3  add Snakemake's storage in S3, from requirements-s3.lock"
	@echo "make env-deploy  add what tests of deployment and object storage need besides"
	@echo "make verify  check the results of a campaign against what is recorded in them"
	@echo "make audit   look for known vulnerabilities in what the locks install"
	@echo "make test    run the tests; PYTEST_ARGS are passed on"
	@echo "make lint    check style, format and types"
	@echo "make format  put style and format right"
	@echo "make bench   measure beside the peers (they are installed first; spaceKLIP's checkout"
	@echo "             is SPACEKLIP=folder)"
	@echo "make docs    build the documentation site; open site/index.html"
	@echo "make reliability  damage files, kill runs, and write docs/reliability.md"
	@echo "make demo-numbers  store the numbers of the demo's products anew, after a change of the fit"
	@echo "make lock    resolve the newest versions into the locks"
	@echo "make clean   remove what was made: results, environment, caches"

env: $(VENV)/done

$(VENV)/done: requirements.lock pyproject.toml
	@$(or $(PYTHON),false) $(NEWER) 2>/dev/null || { echo "psfalign: error: $(or $(PYTHON),python3): \
	is no Python 3.11 or later with venv; install one, or name it: make env PYTHON=python3.x" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: env-slurm env-s3 env-deploy
env-slurm env-s3 env-deploy: env-%: env
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-$*.lock

run: env
	@$(BIN)/psfalign run --batch $(BATCH) "$(CAMPAIGN)"

verify: env
	@$(BIN)/psfalign verify "$$($(BIN)/psfalign check --output-dir "$(CAMPAIGN)")" \
		--config "$(CAMPAIGN)"

test: env
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: env
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/batches.smk workflow/rules
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakemake --lint

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/Snakefile workflow/batches.smk workflow/rules

# One resolution, for all Pythons and systems, from which the locks are cut.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url
CUT := $(COMPILE) --constraint $(VENV)/all.lock

lock: env
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --upgrade pyproject.toml --all-extras --group dev --group docs --group archive \
		--group deploy --output-file $(VENV)/all.lock
	$(CUT) pyproject.toml --group dev --extra crds --output-file requirements.lock
	$(CUT) --group docs --output-file requirements-docs.lock
	$(CUT) --group archive --output-file requirements-archive.lock
	$(CUT) pyproject.toml --extra slurm --output-file requirements-slurm.lock
	$(CUT) pyproject.toml --extra s3 --output-file requirements-s3.lock
	$(CUT) --group deploy --output-file requirements-deploy.lock

bench: env
	$(BIN)/python benchmarks/parity.py
	$(BIN)/python benchmarks/clean.py
	$(BIN)/python benchmarks/stack.py
	$(BIN)/python benchmarks/klip.py
	$(BIN)/python benchmarks/programs.py
	$(BIN)/python benchmarks/spaceklip.py $(SPACEKLIP)
	$(BIN)/python benchmarks/fit_speed.py
	$(BIN)/python benchmarks/whole_job.py
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/subtraction.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/catalogue.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/made_masks.py
	$(BIN)/python benchmarks/closing.py
	$(BIN)/python benchmarks/small_exposures.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/figures.py
	$(BIN)/python benchmarks/verify.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/judging.py
	$(BIN)/python benchmarks/flight.py
	$(BIN)/python docs/generate.py

# What checks for an archive, the validator of RO-Crates and pip-audit, is installed beside the rest
# only here.
$(VENV)/archive-done: $(VENV)/done requirements-archive.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-archive.lock
	@touch $@

archive-tools: $(VENV)/archive-done

audit: archive-tools
	@$(BIN)/python tests/audit.py requirements*.lock

# What builds the site is installed beside the rest only here: a run needs none of it.
$(VENV)/docs-done: $(VENV)/done requirements-docs.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-docs.lock
	@touch $@

docs: $(VENV)/docs-done
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env \
		-c docs -d $(VENV)/doctrees -b html . site
	@$(BIN)/python docs/check_site.py site
	@echo "Documentation: site/index.html"

reliability: env
	PYTHONPATH=tests:workflow/lib $(BIN)/python -m studies.mutations > tests/studies/results/mutations.md
	PYTHONPATH=tests:workflow/lib $(BIN)/python -m studies.crashes > tests/studies/results/crashes.md
	$(BIN)/python docs/generate.py

demo-numbers: env
	PYTHONPATH=tests:workflow/lib $(BIN)/python -m studies.demo

clean:
	rm -rf results site .snakemake $(VENV) .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf workflow/lib/*.egg-info
