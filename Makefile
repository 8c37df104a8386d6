# Verbs of the project. Everything happens inside .venv, made from requirements.lock.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?=
CORES ?= all
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: help env run report test test-all lint format lock clean

help:
	@echo "make env     virtual environment in .venv, from requirements.lock"
	@echo "make run     run the campaign: the simulated demo, or CONFIG=my_campaign.yaml"
	@echo "make test    run the tests"
	@echo "make lint    check style, format and types"
	@echo "make clean   remove what was made: results, caches, the environment"

env: $(VENV)/done

$(VENV)/done: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: env
	$(if $(CONFIG),$(BIN)/psfalign check $(CONFIG))
	$(SNAKEMAKE) --quiet rules
	$(SNAKEMAKE) --quiet all --report report.html
