# make demo            trains, explains and scores on synthetic clips: pictures, audio, tables in demo/
# make test            ruff, mypy, pytest
# make ci              the same with the tests of whole programs and the coverage, as CI runs it
# make bench           times the published way, the library and other packages; writes
#                      benchmarks/RESULTS.md; on a quiet machine. make bench-commands adds the
#                      demo and the tests
# make docs            writes the pages of docs/ as a site, in site/: open site/index.html
# make noises          writes the audio files of noises/ again, byte for byte
# make results         runs the experiments of the study on all cores, on the data in AUDIOINTERP_DATA (else
#                      data/ESC-50), on ESC-10 also five folds, each by a network that it trains; resumes an
#                      interrupted run; results of ESC-10 are packed into results/
# make supplementary   writes the figures and the page of supplementary/
# make torture         runs the long tests, then the fault tests, and writes docs/reliability.md; then
#                      installs the wheel into an empty environment and uses it, and runs the tests
#                      with the lowest versions of all packages (each some GB and minutes)
# make notebooks       runs the ten notebooks in place, on the data in AUDIOINTERP_DATA, and strips
#                      their audio; they show the rows of results/ where these are of their network
# make reproduce       makes the tables, the pages and the figures of docs/ and README from results/,
#                      step by step, and says how long each took; resumes an interrupted run
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv/bin
CORES = $$(nproc || sysctl -n hw.ncpu)
# As the study's networks, methods and leading tables.
FOLDS := --subset esc10 --level-range 100 --averaging 0.99 --precision bfloat16 \
	--on audio --fill background \
	--methods saliency,gradcam,shap,lime,random,layercam,integrated_gradients,occlusion,rise,optimal

.PHONY: demo docs test ci bench bench-commands torture notebooks noises results supplementary reproduce \
	lint style clean

demo: .venv/installed
	$(VENV)/audiointerp demo

# One process per core; more threads (BLAS, notebook kernels) would only compete. Bytecode is kept,
# since the tests start many processes. With worksteal, a process runs neighbouring tests, which
# share fixtures. mypy, which uses one core for most of a minute, runs beside them.
ci: COVERAGE := --cov=audiointerp --cov-report=term-missing:skip-covered --cov-fail-under=90
ci: export AUDIOINTERP_WHOLE := 1
test ci: .venv/installed-test style
	@set -u; types=$$(mktemp); $(VENV)/mypy > "$$types" 2>&1 & mypy=$$!; \
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(VENV)/pytest -n auto --dist worksteal $(COVERAGE); \
	tests=$$?; wait $$mypy; mypy=$$?; cat "$$types"; rm -f "$$types"; \
	[ $$tests -eq 0 ] && [ $$mypy -eq 0 ]

torture: .venv/installed-test
	AUDIOINTERP_TORTURE=1 $(VENV)/pytest tests -n auto -m long
	AUDIOINTERP_TORTURE=1 $(VENV)/pytest tests -n auto -m "torture or hypothesis" --junitxml=.torture.xml
	$(VENV)/python tests/reliability.py .torture.xml docs/reliability.md
	$(VENV)/python tests/built_wheel.py
	$(VENV)/python tests/lowest.py

bench: .venv/installed-test
	$(VENV)/python -m benchmarks

bench-commands: .venv/installed-test
	$(VENV)/python -m benchmarks commands

noises: .venv/installed
	$(VENV)/audiointerp noises --out noises

# On ESC-10 also five folds, each by a network of its own: 400 clips instead of 80.
results: .venv/installed-test
	$(VENV)/audiointerp results --workers $(CORES)
	data=$${AUDIOINTERP_DATA:-data/ESC-50}; [ ! -d results_esc10 ] || [ ! -d "$$data" ] || \
	  $(VENV)/audiointerp crossval mel_clean --data "$$data" $(FOLDS) --workers $(CORES) \
	  --out results_esc10
	[ ! -d results_esc10 ] || $(VENV)/audiointerp pack results_esc10 results

supplementary: .venv/installed
	$(VENV)/audiointerp supplementary --out supplementary

# Reads the sources of the package without importing it, so torch need not be installed.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict --quiet
	@echo "wrote site/: open site/index.html; to search it, python3 -m http.server -d site"

notebooks: .venv/installed
	$(VENV)/python tests/notebooks.py

reproduce: .venv/installed
	$(VENV)/python tests/reproduce.py

lint: .venv/installed-test style
	$(VENV)/mypy

style: .venv/installed-test
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	{ echo "audiointerp needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
endef

# Named here and not by the extra, whose package needs torch.
.venv/installed-docs: tests/requirements.txt requirements.txt
	$(CHECK_PYTHON)
	[ -x $(VENV)/python ] || $(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -c tests/requirements.txt mkdocs mkdocs-material mkdocstrings-python
	touch $@

.venv/installed: requirements.txt pyproject.toml
	$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	touch $@

.venv/installed-test: .venv/installed tests/requirements.txt
	$(VENV)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -r tests/requirements.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv demo site
