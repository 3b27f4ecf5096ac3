PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SETUP := setup.cfg pyproject.toml constraints.txt

.PHONY: demo test check bench wheel graphviz postgres clean

demo: .venv/demo graphviz  ## search networks for real data, about two minutes, and draw what happened
	$(BIN)/python examples/digits.py --output demo

test: .venv/test graphviz postgres  ## run the whole suite, with doctests and examples
	$(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/test  ## formatting, lint and strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@echo "$(BIN)/mypy and $(BIN)/pyright, side by side"
	@$(BIN)/mypy & mypy=$$!; pyright=$$($(BIN)/pyright 2>&1); code=$$?; \
	wait $$mypy || code=$$?; echo "$$pyright"; exit $$code

bench: .venv/test .venv/bench  ## print speed as ratios to hand-written code and to peers
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/symbolic_programs.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/proposals.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/studies.py
	$(BIN)/python benchmarks/torch_models.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/supernets.py
	$(BIN)/python benchmarks/tensorflow_models.py
	for backend in tensorflow torch jax; do KERAS_BACKEND=$$backend $(BIN)/python benchmarks/keras_models.py; done

.venv/python: ; $(PYTHON) -m venv .venv && touch $@

.venv/%: .venv/python $(SETUP)
	@echo "Installing what 'make $*' needs"
	$(PIP) --editable '.[$*]'
	@touch $@

graphviz:  ## the program `dot`, which draws the pictures
	@command -v dot >/dev/null || { echo "Installing Graphviz, which draws the pictures"; \
	if command -v apt-get >/dev/null; then $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq graphviz; \
	elif command -v brew >/dev/null; then brew install graphviz; \
	else echo "Install Graphviz first: https://graphviz.org/download/"; exit 1; fi; }

# While this file lies there, Debian's package makes and starts no server of its own.
NO_CLUSTER := /etc/postgresql-common/createcluster.d/deep_arch.conf

postgres: .venv/test  ## PostgreSQL, of which tests start servers of their own
	@$(BIN)/python -c "from deep_arch.testing.postgres_programs import postgres_programs as p; p()" 2>/dev/null || { \
	echo "Installing PostgreSQL, of which tests start servers of their own"; \
	if command -v apt-get >/dev/null; then \
	  $(SUDO) mkdir -p $(dir $(NO_CLUSTER)) && echo "create_main_cluster = false" | $(SUDO) tee $(NO_CLUSTER) >/dev/null; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends postgresql; code=$$?; \
	  $(SUDO) rm $(NO_CLUSTER); exit $$code; \
	elif command -v brew >/dev/null; then brew install postgresql@17; \
	else echo "Install PostgreSQL first: https://www.postgresql.org/download/"; exit 1; fi; }

clean:
	rm -rf .venv build dist *.egg-info demo pipelines network.onnx
