"""Commands and options that do not exist or lack their values: what is typed after `dynode` | a part of the sentence that answers it."""

OPTIONS = r"""
fit | `dynode fit` wants CLIP, as in `dynode fit talk.safetensors
invert | `dynode invert` wants VIDEO, as in `dynode invert talk.mp4
edit | `dynode edit` wants VIDEO, as in `dynode edit talk.mp4
evaluate-edit | `dynode evaluate-edit` wants SOURCE and EDITED, as in `dynode
evaluate-edit nope.mp4 | `dynode evaluate-edit` wants EDITED, as in `dynode
world episode | `dynode world episode` wants WORLD and KIND, as in `dynode
world episode bird | `dynode world episode` wants KIND, as in `dynode world
world invert scene | `dynode world invert` wants KIND, as in `dynode world invert
world flow | `dynode world flow` wants GENERATOR, as in `dynode world flow
train gan | `dynode train gan` wants WORLD, as in `dynode train gan
train encoder | `dynode train encoder` wants GENERATOR, as in `dynode train
train dynamics | `dynode train dynamics` wants WORLD, as in `dynode train
train factors | `dynode train factors` wants WORLD, as in `dynode train
train flow stylegan2-scene-factors | `dynode train flow` wants FACTOR, as in `dynode train flow
train transformer stylegan2-scene-factors | `dynode train transformer` wants ATTRIBUTE, as in `dynode
train captions | `dynode train captions` wants CATEGORY, as in `dynode train
train mapper stylegan2-scene-factors | `dynode train mapper` wants TEXT, as in `dynode train mapper
render | `dynode render` wants FIT, as in `dynode render talk.fit
diagnose | `dynode diagnose` wants CLIP, as in `dynode diagnose
score | Name an image or a video of a face
choose-depth | There is no clip to choose DEPTH for: name at least one
edit-text | `dynode edit-text` wants CLIP and TEXT, as in `dynode
edit-text single_face.warm | `dynode edit-text` wants TEXT, as in `dynode edit-text
evaluate | Name at least one fit, as `dynode fit` writes it
share | Name at least one fit, as `dynode fit` writes it
share a.fit a.fit | The fit a.fit is named 2 times: name it once
share a.fit -o a.pdf | a.pdf does not say what is written, .html: name it a.html
demo --frames 5 | A demonstration wants at least 6 frames, got 5
demo --frame 12 | `dynode demo` has no option --frame, did you mean --frames
demo bird.fligt | There is no video 'bird.fligt', did you mean 'bird.flight'
report --profile smok | There is no profile 'smok', did you mean 'smoke'
report --views bird.fligt | There is no clip 'bird.fligt', did you mean 'bird.flight'
fit a b | 'b' is one word too many for `dynode fit`: a name with spaces
fit a b c | 'b' is one word too many for `dynode fit`: a name with spaces
render a.fit b.mp4 | 'b.mp4' is one word too many for `dynode render`: a name with
diagnose a b | 'b' is one word too many for `dynode diagnose`: a name with
invert talk.mp4 out.safetensors | 'out.safetensors' is one word too many for `dynode invert`: a
reproduce --jobs | --jobs is given without its value
reproduce --slrum | `dynode reproduce` has no option --slrum
run --part x worlds | --part wants a whole number, got 'x'; `dynode run --help`
list extra | 'extra' is one word too many for `dynode list`: a name with
list --all | `dynode list` has no option --all; `dynode list --help` lists
fit a --stride x | --stride wants a whole number, got 'x'; `dynode fit --help`
fit a --stride | --stride is given without its value, a whole number; `dynode
fit a --stride 1.5 | --stride wants a whole number, got '1.5'; `dynode fit --help`
fit a --stride '' | --stride wants a whole number, got ''; `dynode fit --help`
fit a --stride '2 3' | --stride wants a whole number, got '2 3'; `dynode fit --help`
fit a --stride nan | --stride wants a whole number, got 'nan'; `dynode fit --help`
fit a --stride inf | --stride wants a whole number, got 'inf'; `dynode fit --help`
fit a --stride 1e400 | --stride wants a whole number, got '1e400'; `dynode fit
fit a --stride 0x10 | --stride wants a whole number, got '0x10'; `dynode fit
fit a --stride ² | --stride wants a whole number, got '²'; `dynode fit --help`
fit a --stride 2,5 | --stride wants a whole number, got '2,5'; `dynode fit --help`
fit a --stride --seed 3 | --stride is given without its value, a whole number; `dynode
fit a --stride 2 --stride 3 | --stride is given 2 times: give it once
evaluate a.fit --clip a --clip b | --clip is given 2 times: give it once
fit a -o x.fit -o y.fit | --output is given 2 times: give it once
fit a -o x.fit --output y.fit | --output is given 2 times: give it once
fit a --hidden-end 1 --hidden_end 2 | --hidden-end is given 2 times: give it once
fit a --strides 3 | `dynode fit` has no option --strides, did you mean --stride
fit a -stride 3 | -stride is written with two dashes: --stride
fit a --Stride 3 | `dynode fit` has no option --Stride, did you mean --stride
fit a --iterations 500 | `dynode fit` has no option --iterations, a setting of the
fit a --epochs 3 | `dynode fit` has no option --epochs; `dynode fit --help` lists
fit a --gpu | `dynode fit` has no option --gpu; `dynode fit --help` lists
fit a -s 3 | `dynode fit` has no option -s; `dynode fit --help` lists
fit a -v | `dynode fit` has no option -v; `dynode fit --help` lists
fit a --verbose | `dynode fit` has no option --verbose; `dynode fit --help` lists
fit a --latent-only=true | --latent-only is a switch and takes no value, got 'true'
fit a --latent-only true | --latent-only is a switch and takes no value, got 'true'
fit a --latent-only False | --latent-only is a switch and takes no value, got 'False'
fit a --no-latent | `dynode fit` has no option --no-latent; `dynode fit --help` lists
fit a -p | -p is given without its value, NAME=VALUE; `dynode fit
fit a -o | -o is given without its value, PATH; `dynode fit --help`
fit a --output | -o is given without its value, PATH; `dynode fit --help`
fit a –stride 3 | –stride begins with a typographic dash, as web pages have it
fit a —stride 3 | —stride begins with a typographic dash, as web pages have it
fit a −−stride 3 | −−stride begins with a typographic dash, as web pages have
fit a –o x.fit | –o begins with a typographic dash, as web pages have it: type
fit “a” --stride 3 | “a” begins with a typographic quote, which shells do not
edit-text single_face.warm “red lips” | “red begins with a typographic quote, which shells do not
edit-text single_face.warm “red lips” --frame 1 | “red begins with a typographic quote, which shells do not
edit talk.mp4 --attribute ‘smile=1’ | ‘smile=1’ begins with a typographic quote, which shells do
fit a --seed −3 | −3 begins with a typographic dash, as web pages have it: type
fit a --seed 1.0 | --seed wants a whole number, got '1.0'; `dynode fit --help`
fit a -- --stride | '--stride' is one word too many for `dynode fit`: a name with
fit a --device | --device is given without its value; `dynode fit --help`
render a.fit --fps x | --fps wants a number, got 'x'; `dynode render --help` lists
render a.fit --fps 1,5 | --fps wants a number, got '1,5'; `dynode render --help` lists
render a.fit --speed fast | --speed wants a number, got 'fast'; `dynode render --help`
render a.fit --speed 2x | --speed wants a number, got '2x'; `dynode render --help`
render a.fit --resolution 256x256 | --resolution wants a whole number, got '256x256'; `dynode
evaluate a.fit --source talk.mp4 | got 'talk.mp4', name the footage by --footage; `dynode evaluate --help`
render a.fit --reverse=yes | --reverse is a switch and takes no value, got 'yes'; `dynode
fetch --profile nope | --profile must be one of smoke, embedded, paper, got 'nope'
fetch --profile | --profile is given without its value; `dynode fetch --help`
doctor --slrum | `dynode doctor` has no option --slrum, did you mean --slurm; `dynode
doctor all | 'all' is one word too many for `dynode doctor`: a name with
fetch --all | `dynode fetch` has no option --all; `dynode fetch --help`
run table1 --jobs two | --jobs wants a whole number, got 'two'; `dynode run --help`
run table1 --jobs 1.5 | --jobs wants a whole number, got '1.5'; `dynode run --help`
run table1 --profile | --profile is given without its value; `dynode run --help`
choose-depth a --depths x | --depths wants whole numbers with spaces between, got 'x'
choose-depth a --depths 1,2 | --depths wants whole numbers with spaces between, got '1,2'
choose-depth a --depths 1.5 | --depths wants whole numbers with spaces between, got '1.5'
choose-depth a --seeds x | --seeds wants whole numbers with spaces between, got 'x'
world episode bird flight --seconds x | --seconds wants a number, got 'x'; `dynode world episode
world episode bird flight --fps | --fps is given without its value, a number; `dynode world
world episode bird flight --resolution 1.5 | --resolution wants a whole number, got '1.5'; `dynode world
world episode bird flight down | 'down' is one word too many for `dynode world episode`: a
evaluate-edit a.mp4 b.mp4 c.mp4 | 'c.mp4' is one word too many for `dynode evaluate-edit`: a
evaluate-edit a.mp4 b.mp4 --identity | There is no file a.mp4: give the path of a video
edit a.mp4 --attribute | --attribute is given without its value, NAME=STRENGTH
edit a.mp4 --attributes smile=1 | `dynode edit` has no option --attributes, did you mean
edit a.mp4 smile=1 | 'smile=1' is one word too many for `dynode edit`: a name with
edit a.mp4 --rows x | --rows wants a whole number, got 'x'; `dynode edit --help`
edit a.mp4 --smile 1.5 | `dynode edit` has no option --smile; `dynode edit --help` lists
bench --repeats x | --repeats wants a whole number, got 'x'; `dynode bench
train dynamics bird --minutes soon | --minutes wants a number, got 'soon'; `dynode train
train gan bird --minutes soon | --minutes wants a number, got 'soon'; `dynode train gan
train gan bird --pictures many | --pictures wants a whole number, got 'many'; `dynode train
fit --tyro-print-completion zzz | --tyro-print-completion wants bash, zsh, tcsh or fish, got
fit --tyro-print-completion | --tyro-print-completion wants bash, zsh, tcsh or fish, got ''
nope | There is no `dynode nope`: `dynode --help` lists the commands
fits | There is no `dynode fits`, did you mean `dynode fit`; `dynode
train nope | There is no `dynode train nope`: `dynode train` lists the
world nope | There is no `dynode world nope`: `dynode world` lists the
help fit | There is no `dynode help`, did you mean `dynode --help`
fit-all | There is no `dynode fit-all`, did you mean `dynode test-all`
fit single_face.warm -preset robust | -preset is written with two dashes: --preset
fit single_face.warm -output x.fit | -output is written with two dashes: --output
fit single_face.warm -seed 3 | -seed is written with two dashes: --seed
train gn | There is no `dynode train gn`, did you mean `dynode train
fetch nope --profile smoke | There is no asset 'nope'
invert talk.mp4 --gpu | `dynode invert` has no option --gpu; `dynode invert --help` lists
"""
