# Every target is also `python -m dynode TARGET`; PYTHON picks the interpreter that makes the environment.
PYTHON ?= python3

.PHONY: setup reproduce test weights codes lint lock reference
setup reproduce test:
	$(PYTHON) -m dynode $@

lint: setup
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports

# Draw the worlds' pictures and train their generators anew: hours on a CPU, resumed where it was stopped.
weights: setup
	for world in scene bird isaac3d; do \
	  .venv/bin/python -m dynode train-gan $$world -o dynode/weights/stylegan2-$$world.safetensors --compiled || exit; \
	done

# Project the worlds' episodes that ship as codes anew: three minutes each on a CPU core.
codes: setup
	for one in scene:day:1 scene:weather:2 scene:winter:3 bird:flight:1 bird:take_off:2 bird:landing:3 \
	    isaac3d:robot_x:1 isaac3d:robot_y:2 isaac3d:camera:3; do \
	  set -- $$(echo $$one | tr : ' '); \
	  .venv/bin/python -m dynode invert-episode $$1 $$2 --seed $$3 -o dynode/codes/$$1.$$2.safetensors || exit; \
	done

# Pin the newest versions that fit pyproject.toml, for every platform (needs `pip install uv`).
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header -q -o lock/requirements.txt

# Execute the notebooks under the smoke profile and keep them as the references that nbval compares with.
reference: setup
	.venv/bin/python tests/make_reference.py
