# Every target sets up what it needs. A second run skips the finished steps.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PEERS := .venv-peers
COMPATIBILITY := .venv-compatibility

LOCALE := resources/locale
TEMPLATE := $(LOCALE)/tilescope.pot
KEYWORDS := -k tr -k tr_plural:1,2 -k tr_in:1c,2 -k KernelError -k InvalidInputs -k Unavailable

.PHONY: setup run test test-install test-peers test-compatibility robustness lint template messages language model recorded-runs bench gallery test-gpu bench-gpu clean

setup: $(READY)
	@.ci/system-libraries

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Tilescope needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

run: setup
	@$(PY) main.py --fallback-gallery gallery

lint: setup
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

# Every message in the source code.
template: setup
	@$(VENV)/bin/pybabel --quiet extract -F pyproject.toml $(KEYWORDS) --no-default-keywords --no-location --sort-output \
		--project Tilescope -o $(TEMPLATE) core gui kernels main.py

# Adds new messages to every catalogue, untranslated, and removes those that the source no longer has. Translate them in
# the .po file and run this again to compile it.
messages: template
	@$(VENV)/bin/pybabel --quiet update -D tilescope -d $(LOCALE) -i $(TEMPLATE) --no-fuzzy-matching --ignore-obsolete \
		--ignore-pot-creation-date --width 110
	@rm $(TEMPLATE)
	@$(VENV)/bin/pybabel compile --statistics -D tilescope -d $(LOCALE)

# Creates an empty catalogue: make language CODE=de
language: template
	@test -n "$(CODE)" || { rm $(TEMPLATE); echo "Give the code of the language: make language CODE=de" >&2; exit 1; }
	@$(VENV)/bin/pybabel --quiet init -l $(CODE) -D tilescope -d $(LOCALE) -i $(TEMPLATE) --width 110
	@rm $(TEMPLATE)

# pytest runs the import contracts too (tests/test_layering.py), with violations that prove that each contract works.
# --dist loadfile keeps a file on one worker, so its shared fixtures are built once. One OpenMP thread per worker: the
# tests are small, and on two cores more threads would mostly wait for each other.
# Compiled modules are kept, also where the environment says otherwise: the tests start hundreds of processes.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

# Builds a wheel and a source archive, installs them, and starts what was installed. Then every page and command without
# Triton. Five to ten minutes.
test-install: setup
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m install tests/install

# Compares the training stages, the labels and the rendering of conversations, and the doctor's verdicts with TRL. It is
# no part of `make test`, because installing TRL takes more than a minute.
test-peers: setup $(PEERS)/.ready
	@OMP_NUM_THREADS=1 $(PEERS)/bin/python -m pytest tests/peers

# A folder of its own for TRL. The packages of requirements.lock are read from $(VENV).
$(PEERS)/.ready: requirements-peers.lock
	@$(PY) -m venv --without-pip --clear $(PEERS)
	@$(PY) -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(PEERS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/main.pth"
	@$(PY) -m pip --python $(PEERS)/bin/python install --quiet --disable-pip-version-check --no-deps \
		-r requirements-peers.lock
	@touch $@

# Traces operations of public packages, compares them with witnesses, and writes docs/compatibility.md: ten minutes on two quiet cores, or more.
# One file of cases alone, without writing: make test-compatibility CASES=liger.
test-compatibility: setup $(COMPATIBILITY)/.ready
	@$(COMPATIBILITY)/bin/python -m tests.compatibility $(or $(CASES),--write)

# A folder of its own for those packages. Some are source archives that would compile CUDA: only their Python is built.
$(COMPATIBILITY)/.ready: requirements-compatibility.lock
	@$(PY) -m venv --without-pip --clear $(COMPATIBILITY)
	@$(PY) -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(COMPATIBILITY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/main.pth"
	@FLASH_ATTENTION_FORCE_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE CAUSAL_CONV1D_FORCE_BUILD=TRUE \
		FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE CAUSAL_CONV1D_SKIP_CUDA_BUILD=TRUE \
		$(PY) -m pip --python $(COMPATIBILITY)/bin/python install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation -r requirements-compatibility.lock
	@touch $@

# Hostile input and processes that die: at most 20 minutes. See docs/reliability.md.
robustness: setup
	@OMP_NUM_THREADS=1 $(PY) -m tests.robustness

# Trains the small model that comes with the program anew: one to three minutes.
model: setup
	@$(PY) -m core.language_model.ship

# Records the default runs that pages show until they have one of this machine: those that are missing, or whose code
# has changed since (all eleven: about ten minutes). See docs/recorded-runs.md.
recorded-runs: setup
	@$(PY) -m core.recorded_runs.record $(TOPICS)

bench: setup
	@$(PY) -m tests.benchmarks

gallery: setup
	@$(PY) main.py screenshot all --recorded --out gallery

test-gpu: setup
	@$(PY) -m pytest -m gpu tests/gpu

# At most ten minutes. The recording opens on the compare page, and is a baseline for `bench --check`.
bench-gpu: setup
	@$(PY) main.py doctor
	@$(PY) -m tests.benchmarks.bench_gpu --record bench-gpu.json

clean:
	rm -rf $(VENV) $(PEERS) $(COMPATIBILITY) gallery .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
