# Every target is also `python -m dynode TARGET`; PYTHON picks the interpreter that makes the environment.
PYTHON ?= python3

.PHONY: setup reproduce test weights lint lock reference
setup reproduce test:
	$(PYTHON) -m dynode $@

lint: setup
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports

# Draw the worlds' pictures and train their generators anew: hours on a CPU, resumed where it was stopped.
weights: setup
	for world in scene bird isaac3d; do \
	  .venv/bin/python -m dynode train-gan $$world -o dynode/weights/stylegan2-$$world.safetensors --compiled || exit; \
	done

# Pin the newest versions that fit pyproject.toml, for every platform (needs `pip install uv`).
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header -q -o lock/requirements.txt

# Execute the notebooks under the smoke profile and keep them as the references that nbval compares with.
reference: setup
	.venv/bin/python tests/make_reference.py
