# Every target is also `python -m dynode TARGET`; PYTHON picks the interpreter that makes the environment.
PYTHON ?= python3
# These would keep PYTHON from its own library, or from the package in this folder.
unexport PYTHONHOME PYTHONSAFEPATH
DYNODE = .venv/bin/python -m dynode

.PHONY: setup reproduce test test-all demo validate weights fields codes face-codes tunings editors lint lock reference teach docs container
setup reproduce test test-all:
	$(PYTHON) -m dynode $@

# See it work: a minute after the installation, without a network.
demo: setup
	$(DYNODE) demo

# Execute again what was executed under a profile, and compare: as long as that.
PROFILE ?= embedded
validate: setup
	$(DYNODE) validate --profile $(PROFILE)

# Unfilled copies of the course's notebooks, in build/teach.
teach: setup
	$(DYNODE) teach

# The pages of docs/, in build/docs; a warning is an error, and nothing is fetched.
docs: setup
	.venv/bin/sphinx-build -q -E -W -n --keep-going docs build/docs

# The files that images are built from, by container/recipe.yaml.
container: setup
	.venv/bin/python container/write.py

lint: setup
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports
	.venv/bin/basedpyright --level error

# Train what ships of the worlds anew: hours on a CPU, each resumed where it was stopped.  The generator by pictures alone
# wants a GPU: `dynode train all --only scene-gan --resolution 64 --minutes 13`.
weights: setup
	for world in scene bird isaac3d; do \
	  $(DYNODE) train gan $$world -o dynode/weights/stylegan2-$$world-factors.safetensors --compiled || exit; \
	done
	for world in scene bird isaac3d; do \
	  $(DYNODE) train encoder stylegan2-$$world-factors -o dynode/weights/encoders/stylegan2-$$world-factors.safetensors \
	    --compiled -p pictures=14000 -p lr=2e-3 || exit; \
	done
	for world in scene isaac3d; do \
	  $(DYNODE) train factors $$world -o dynode/weights/factors/$$world.safetensors \
	    -p network.channels=24 -p network.hidden=64 || exit; \
	done
	$(DYNODE) train gan isaac3d --architecture dcgan -o dynode/weights/dcgan-isaac3d.safetensors \
	  -p distil=40000 -p refine=0 -p generator.channel_max=64
	for one in scene:fog:0:3 scene:hour:4:7 isaac3d:wall_color:0:3; do \
	  set -- $$(echo $$one | tr : ' '); \
	  $(DYNODE) train flow stylegan2-$$1-factors $$2 -o dynode/weights/flows/$$1.$$2.safetensors \
	    -p flow.source=$$3 -p flow.target=$$4 -p steps=700 -p batch=8 -p halve=350 || exit; \
	done

# Train the fields that clips of a world share, which ship, and in the cache the controls of notebook 14: the same that see the
# state by a matrix alone, or not at all, and sequence models and a kernel that learn from the same episodes.  Encoding takes two to
# four seconds an episode on a CPU core and is kept; a field, five to seventeen minutes.
FIELDS = $${DYNODE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/dynode}/training/dynamics
fields: setup
	for one in bird:280:96:192:220000 scene:200:96:192:220000 isaac3d:400:128:256:360000; do \
	  set -- $$(echo $$one | tr : ' '); \
	  for kind in state=mlp state=linear state=none model=gru model=latent_ode model=prior; do \
	    $(DYNODE) train dynamics $$1 -o $(FIELDS)/stylegan2-$$1-factors.$${kind#*=}.safetensors -p network.$$kind \
	      -p encoded=$$2 -p network.context=$$3 -p network.hidden=$$4 -p total=$$5 || exit; \
	  done; \
	  cp $(FIELDS)/stylegan2-$$1-factors.mlp.safetensors dynode/weights/dynamics/stylegan2-$$1-factors.safetensors || exit; \
	done

# Make the worlds' codes that ship anew: three minutes for each of the projected ones on a CPU core.
codes: setup
	for one in bird:flight:1 bird:take_off:2 bird:landing:3; do \
	  set -- $$(echo $$one | tr : ' '); \
	  $(DYNODE) world invert $$1 $$2 --seed $$3 -p steps=120 -o dynode/codes/$$1.$$2.safetensors || exit; \
	done
	for one in scene:day:1 scene:weather:2 scene:winter:3 isaac3d:robot_x:1 isaac3d:robot_y:2 isaac3d:camera:3; do \
	  set -- $$(echo $$one | tr : ' '); \
	  $(DYNODE) world invert $$1 $$2 --seed $$3 -o dynode/codes/$$1.$$2.safetensors || exit; \
	done
	for one in scene:day bird:flight isaac3d:robot_x; do \
	  set -- $$(echo $$one | tr : ' '); \
	  $(DYNODE) world invert $$1 $$2 --seed 1 -o dynode/codes/$$1.$$2.encoder.safetensors \
	    -p start=encoder -p first_steps=0 -p conjugate_steps=10 -p batch=8 || exit; \
	done
	$(DYNODE) world invert bird beats --seed 4 --seconds 3 -o dynode/codes/bird.beats.safetensors \
	  -p start=encoder -p first_steps=40 -p first_lr=0.01
	for space in w z; do \
	  $(DYNODE) world invert isaac3d robot_x --seed 1 -o dynode/codes/isaac3d.robot_x.$$space.safetensors \
	    --generator stylegan2-isaac3d-factors@$$space || exit; \
	done
	$(DYNODE) world invert isaac3d robot_x --seed 1 --generator dcgan-isaac3d \
	  -o dynode/codes/isaac3d.robot_x.dcgan.safetensors
	$(DYNODE) world flow stylegan2-scene-factors scene.fog scene.hour --seed 21 --longest 9 \
	  -o dynode/codes/scene.flow.safetensors

# Make the codes of the windows of faces (dynode/experiments/face_windows.toml), one after the other, six minutes each on a
# CPU core, and those that tunings are judged on; resumed where stopped.
face-codes: setup
	for one in $$(.venv/bin/python -c "from dynode.experiments import face_windows as f; print(*f.windows())"); do \
	  test -f dynode/codes/$$one.safetensors || \
	  $(DYNODE) invert $$one --protocol independent -o dynode/codes/$$one.safetensors || exit; \
	done
	for one in single_face.1 pexels.1 webcam.1; do \
	  test -f dynode/codes/$$one.observed.safetensors || \
	  $(DYNODE) invert $$one --protocol observed --stride 4 -o dynode/codes/$$one.observed.safetensors || exit; \
	done

# Tune the generator to three people anew, on every fourth frame: ten minutes each.
tunings: setup
	for one in single_face.1.observed pexels.1.observed webcam.1.observed; do \
	  $(DYNODE) tune $$one --stride 4 --update low-rank --minutes 10 -p stop_lpips=0 \
	  -o dynode/weights/tunings/$$one.low-rank.10.tuning.safetensors || exit; \
	done

# Train what edits codes anew: an hour on a CPU core, half of it for the 3,000 faces and two mappers of faces.
EDITORS = dynode/weights
FACE = mobilestylegan-ffhq
editors: setup
	$(DYNODE) train scores $(FACE) -o $(EDITORS)/scores/$(FACE).safetensors
	$(DYNODE) train boundary $(FACE) -o $(EDITORS)/boundaries/$(FACE).safetensors
	for one in smile age gender lipstick mouth_open; do \
	  $(DYNODE) train transformer $(FACE) $$one -p stay=100 -o $(EDITORS)/transformers/face.$$one.safetensors || exit; \
	done
	$(DYNODE) train transformer stylegan2-isaac3d-factors wall_color -p measured=32 \
	  -o $(EDITORS)/transformers/isaac3d.wall_color.safetensors
	$(DYNODE) train captions face -o $(EDITORS)/captions/face.safetensors
	$(DYNODE) train captions scene -p pictures=3072 -p steps=500 -o $(EDITORS)/captions/scene.safetensors
	$(DYNODE) train mapper $(FACE) "smiling, broad smile" -o $(EDITORS)/mappers/face.smile.safetensors \
	  -p batch=1 -p lr=5.0 -p mapper.fine=false -p mapper.width=16 -p steps=90 -p unit=0.4
	$(DYNODE) train mapper $(FACE) "red lips, lipstick" -o $(EDITORS)/mappers/face.lipstick.safetensors \
	  -p batch=1 -p lr=4.0 -p mapper.coarse=false -p mapper.width=16 -p steps=150 -p unit=0.5
	$(DYNODE) train mapper stylegan2-scene-factors mountain -o $(EDITORS)/mappers/scene.mountain.safetensors \
	  -p batch=6 -p mapper.fine=false -p mapper.width=16 -p steps=200 -p unit=0.75
	$(DYNODE) train flow stylegan2-scene-factors mountain -o $(EDITORS)/flows/scene.mountain.safetensors \
	  -p flow.depth=0 -p flow.target=3 -p batch=8 -p codes=1536 -p halve=20 -p lr=3e-4 -p steps=40
	$(DYNODE) train flow stylegan2-isaac3d-factors wall_color -o $(EDITORS)/flows/isaac3d.sand_wall.safetensors \
	  -p flow.depth=0 -p flow.source=2 -p flow.target=0 -p alpha=4.0 -p batch=8 -p codes=2048 -p halve=20 -p lr=3e-4 -p steps=40
	$(DYNODE) train flow stylegan2-isaac3d-factors lighting_intensity -o $(EDITORS)/flows/isaac3d.lighting_intensity.safetensors \
	  -p flow.depth=0 -p flow.target=3 -p alpha=8.0 -p batch=8 -p codes=2048 -p halve=60 -p lr=5e-4 -p steps=100

# Pin the newest versions that fit pyproject.toml, for every platform (needs `pip install uv`): what `pip install dynode[all]`
# brings, and with the same pins what developers use besides.
COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header -q
lock:
	$(COMPILE) --extra all -o lock/requirements.txt
	$(COMPILE) --extra all --extra dev -c lock/requirements.txt -o lock/dev.txt

# Execute the notebooks under the smoke profile and keep them as the references that nbval compares with.
reference: setup
	.venv/bin/python tests/make_reference.py
