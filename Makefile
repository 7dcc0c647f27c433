# The two commands: `make demo` and `make test`. Both make their own environment in .venv.
# `make bench` measures every kind of work and writes docs/speed.md;
# `make docs` builds the docs into site/; `make sounds` makes the weights of the packaged model again (docs/models.md).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test bench docs sounds lint clean

demo: $(VENV)/.installed
	@$(BIN)/disentone demo

test: $(VENV)/.installed
	@$(MAKE) --no-print-directory lint
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

bench: $(VENV)/.installed
	@$(BIN)/python bench/speed.py

docs: $(VENV)/.installed
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

sounds: $(VENV)/.installed
	@$(BIN)/disentone train sounds $(if $(DATA),--data $(DATA)) --out runs/sounds --resume
	@$(BIN)/disentone reproduce sounds --model runs/sounds --out runs/sounds/judged $(if $(DATA),--data-root $(DATA))
	@$(BIN)/python -m disentone.runs.packing runs/sounds

lint: $(VENV)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "disentone needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache dist build site
