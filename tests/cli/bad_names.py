"""Names and files that are not what a command wants: what is typed after `dynode` | a part of the sentence that answers it."""

NAMES = r"""
fit single_face.warm --stride ＋ | --stride wants a whole number, got '＋'; `dynode fit --help`
fit single_face.warm --stride 10000000000000000000000000000000000000 | --stride wants a whole number of at most 9007199254740992
fit single_face.warm --seed 1e3 | --seed wants a whole number, got '1e3'; `dynode fit --help`
fit single_face.warm --seed= | --seed wants a whole number, got ''; `dynode fit --help`
fit single_face.warm --preset | --preset is given without its value; `dynode fit --help`
fit single_face.warm --preset= | There is no method ''; legal are auto, calm, catmull_rom, cde
fit single_face.warm --presets robust | `dynode fit` has no option --presets, did you mean --preset
fit single_face.warm --hidden-end two | --hidden-end wants a whole number, got 'two'; `dynode fit
fit single_face.warm --latent-only=1 | --latent-only is a switch and takes no value, got '1'
fit single_face.warm --device= | There is no device '': name cpu, cuda, cuda:1 or auto
fit single_face.warm --Device cpu | `dynode fit` has no option --Device, did you mean --device
fit single_face.warm -d cpu | `dynode fit` has no option -d; `dynode fit --help` lists
fit single_face.warm -p= | -p wants NAME=VALUE, such as seed=1, got ''
fit single_face.warm -p a b | 'b' is one word too many for `dynode fit`: a name with spaces
fit single_face.warm -P seed=1 | `dynode fit` has no option -P, did you mean --p; `dynode fit
render {here}/small.fit --fps 60fps | --fps wants a number, got '60fps'; `dynode render --help`
render {here}/small.fit --fps= | --fps wants a number, got ''; `dynode render --help` lists
render {here}/small.fit --speed 1/2 | --speed wants a number, got '1/2'; `dynode render --help`
render {here}/small.fit --reversed | `dynode render` has no option --reversed, did you mean
render {here}/small.fit --fps 30 --fps 60 | --fps is given 2 times: give it once
render {here}/small.fit -o a.mp4 -o b.mp4 | --output is given 2 times: give it once
invert talk.mp4 --frame 3 | `dynode invert` has no option --frame, did you mean --frames
invert talk.mp4 --frames=three | --frames wants a whole number, got 'three'; `dynode invert
invert talk.mp4 --start 3 | `dynode invert` has no option --start, a setting of the
invert talk.mp4 talk2.mp4 | 'talk2.mp4' is one word too many for `dynode invert`: a name
invert talk.mp4 --compiled=yes | --compiled is a switch and takes no value, got 'yes'; `dynode
diagnose {here}/record.json | is no safetensors file, or is cut off: a clip (as `dynode
diagnose {here}/half-small.safetensors | is no safetensors file, or is cut off: a clip (as `dynode
render {here}/half-small.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
share {here}/SMALL.fit | a fit (as `dynode fit` writes it) was wanted
share {here}/half-small.fit | is no safetensors file, or is cut off: a fit (as `dynode
demo {here}/record.json | is not a video that can be read to its end
render https://example.org/a.fit | https://example.org/a.fit is an address, download that file
render '*.fit' | There is no file *.fit, no name fits that pattern: a fit (as
render {here}/SMALL.fit | a fit (as `dynode fit` writes it) was wanted
render '{here}/small.fit ' | a fit (as `dynode fit` writes it) was wanted
evaluate {here}/SMALL.fit | a fit (as `dynode fit` writes it) was wanted
evaluate {here}/small.fit --clip https://example.org/a.safetensors | https://example.org/a.safetensors is an address, download
choose-depth '*.safetensors' | There is no file *.safetensors, no name fits that pattern
world episode bird flight --truth x.mp4 | x.mp4 does not say what is written, .csv: name it x.csv
world episode bird flight -o x.mp4 --truth x.mp4 | x.mp4 is the input itself: name another output
world episode bird flight -o x.xyz | x.xyz does not say what is written, .mp4: name it x.mp4
score {here}/grey.png --frames two | --frames wants a whole number, got 'two'; `dynode score
edit-text {here}/small.safetensors fog --frame 99 | The clip has frames 0 to 7, got 99
edit-text {here}/half-small.safetensors fog | is no safetensors file, or is cut off: a clip (as `dynode
edit-text 'https://example.org/a.safetensors' fog | https://example.org/a.safetensors is an address, download
train adversarial scene --start {here}/record.json | is no safetensors file, or is cut off: a generator (as
train gan scene --start {here}/record.json | is no safetensors file, or is cut off: a generator (as
train gan scene --start {here}/encoder.safetensors | has format 'dynode-encoder-1': a generator (as `dynode train
train encoder {here}/tiny.safetensors --pictures 0 | At least one picture of a world is wanted to learn from, got
train encoder {here}/half-tiny.safetensors | is no safetensors file, or is cut off: a generator (as
train encoder {here}/encoder.safetensors | has format 'dynode-encoder-1': a generator (as `dynode train
train dynamics birds | There is no world 'birds', did you mean 'bird'
train dynamics bird -p network.state=matrix | There is no field 'matrix'
train dynamics bird -p encoded=99999 | There are 2995 development episodes: hold out and encode fewer
train dynamics bird -p generator=stylegan2-birds | There is no generator 'stylegan2-birds', did you mean 'stylegan2-bird-factors'
train dynamics bird --minutes 0 | minutes
fit {here}/circle.safetensors --preset 'dynode[amortised]' | No field learned across clips comes with the package for codes of
train flow {here}/none.safetensors fog | train a generator by `dynode train gan`, or name a known one
train flow {here}/circle.safetensors fog | has format 'dynode-clip-1': a generator (as `dynode train
train transformer {here}/circle.safetensors fog | has format 'dynode-clip-1': a generator (as `dynode train
train mapper {here}/circle.safetensors fog | has format 'dynode-clip-1': a generator (as `dynode train
train scores {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
world flow {here}/circle.safetensors scene.fog | has format 'dynode-clip-1': a generator (as `dynode train
world flow stylegan2-scene-factors '' | There is no flow '', and none ships for : `dynode editors`
world flow stylegan2-scene-factors https://example.org/flow.safetensors | https://example.org/flow.safetensors is an address, download
invert {here}/grey.mp4 --generator https://example.org/g.safetensors | https://example.org/g.safetensors is an address, download
invert {here}/grey.mp4 --generator {here}/TINY.safetensors | train a generator by `dynode train gan`, or name a known one
editors nope | 'nope' is one word too many for `dynode editors`: a name with
editors --nope | `dynode editors` has no option --nope; `dynode editors
codes | There is no `dynode codes`, did you mean `dynode score`
codes nope.npy | There is no `dynode codes`, did you mean `dynode score`
codes {here}/folder | There is no `dynode codes`, did you mean `dynode score`
codes {here}/record.json | There is no `dynode codes`, did you mean `dynode score`
invert {here}/none.mp4 | give the path of a video
invert {here}/folder | is a folder: give the path of a video
invert {here}/empty.mp4 | is not a video that can be read to its end (Invalid data
invert {here}/text.mp4 | is not a video that can be read to its end (Invalid data
invert {here}/sound.wav | has no video stream: give a video such as .mp4, .mov or .webm
invert {here}/circle.safetensors | is not a video that can be read to its end (Invalid data
fit {here}/none.safetensors | give a clip, as `dynode invert` writes it, or the name of a
fit single_face.warn | There is no clip 'single_face.warn', did you mean
fit {here}/folder | is a folder: a clip (as `dynode invert` writes it) was wanted
fit {here}/text.safetensors | is no safetensors file, or is cut off: a clip (as `dynode
fit {here}/text.mp4 | is a video: turn it into codes first by `dynode invert
fit {here}/cut.safetensors | give a clip, as `dynode invert` writes it, or the name of a
fit {here}/circle.fit | has format 'dynode-fit-5': a clip (as `dynode invert` writes
fit {here}/foreign.bin | has format 'unknown': a clip (as `dynode invert` writes it)
fit {here}/nan.safetensors | The codes of frames 0, 1, 2, 3 hold NaN or infinite
fit {here}/flat.safetensors | A clip wants codes (T, L, D) and times (T,), got (4, 512) and
fit {here}/short.safetensors | A clip wants codes (T, L, D) and times (T,), got (3, 23, 512)
fit {here}/repeats.safetensors | The clip's times must strictly increase, in seconds: sort the
fit {here}/timeless.safetensors | holds ws: a clip wants ws and ts, and may hold observed
fit {here}/alone.safetensors | A clip wants at least 2 frames, got 1: dynamics need a motion
fit {here}/cuts.safetensors | No shot of clip holds 2 observed frames: dynamics need a
diagnose {here}/nan.safetensors | The codes of frames 0, 1, 2, 3 hold NaN or infinite
diagnose {here}/circle.fit | has format 'dynode-fit-5': a clip (as `dynode invert` writes
render {here}/none.fit | a fit (as `dynode fit` writes it) was wanted
render {here}/circle.safetensors | has format 'dynode-clip-1': a fit (as `dynode fit` writes it)
render {here}/cut.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/folder | is a folder: a fit (as `dynode fit` writes it) was wanted
invert no-face-video --frames 3 | give footage of a face seen from the front
invert single-face-video --frames 1 | was followed for 1 frame, at least 2 of one shot are wanted
invert single-face-video --first 10000 | ends before the frames that were asked for: choose an earlier
invert single-face-video --every 0 | --first and --frames must be 0 or more and --every at least
invert single-face-video --first -1 | --first and --frames must be 0 or more and --every at least
invert single-face-video --frames -3 | --first and --frames must be 0 or more and --every at least
invert single-face-video --frames 2 --face left | A face is 'largest' or a number counted from the left (0
invert single-face-video --frames 2 --face 7 | its frames show 1 at most; choose the largest, or a number up
run dynamic_face | There is no item 'dynamic_face', did you mean
run dynamics_face --profile embeded | There is no profile 'embeded', did you mean 'embedded'; legal
run dynamics_face -p seed=[1] | The item dynamics_face has no parameter 'seed', did you mean
run dynamics_face -p columns=many | columns wants an int such as 9, got 'many'
run dynamics_face -p strides=[4 | -p strides=[4 cannot be read: a value is YAML, such as 5
run | Name items, or give --all for every one: `dynode list` shows
run dynamics_face --all | Name items, or give --all for every one: `dynode list` shows
run --all -p seeds=[1] | -p changes one item's notebook: name that item alone
run worlds table1 --jobs -1 | --jobs must be 0 or more, got -1
run worlds zzz | There is no item 'zzz'; legal are ablations, beyond
fetch single-face | There is no asset 'single-face', did you mean
fit {here}/circle.safetensors --preset robus | There is no method 'robus', did you mean 'robust'; legal are
fit {here}/circle.safetensors --sampling regularly | There is no sampling 'regularly', did you mean 'regular'
fit {here}/circle.safetensors --device gpu0 | There is no device 'gpu0': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors --device meta | The device meta cannot be used here (Tensor.item() cannot be
evaluate {here}/circle.fit {here}/other.fit | The fits belong to different clips (circle, other): evaluate
evaluate {here}/circle.fit | The clip circle belongs to weights none of
evaluate {here}/other.fit | The fits belong to the clip other, which is not shipped, and no other.safetensors lies
evaluate {here}/circle.fit --clip {here}/none.safetensors | give a clip, as `dynode invert` writes it, or the name of a
evaluate {here}/circle.fit --clip {here}/other.fit | has format 'dynode-fit-5': a clip (as `dynode invert` writes
evaluate {here}/circle.fit --clip {here}/circle.safetensors | The clip circle belongs to weights none of
evaluate {here}/circle.fit --clip {here}/foreign.safetensors | There is no generator 'stylegan9', did you mean
evaluate {here}/drawn.fit --clip {here}/drawn.safetensors | mobilestylegan-ffhq wants codes (T, 23, 512), got (8, 3, 8)
fit {here}/circle.safetensors --stride 0 | The stride must be at least 1, got 0: every N-th frame is
fit {here}/circle.safetensors --hidden-end 7 | 1 of 8 frames can be observed, with the last 7 held out: at
fit {here}/circle.safetensors --hidden-end -1 | The number of frames to hold out at the end must be 0 or
fit {here}/circle.safetensors --seed -1 | A seed must be 0 or more and below 2**63, got -1
fit {here}/circle.safetensors -p training.iteration=5 | There is no setting 'iteration', did you mean 'iterations'
fit {here}/circle.safetensors -p training=5 | training has the settings batch, betas, both_ways
fit {here}/circle.safetensors -p training.lr.x=5 | lr is one value, such as 0.01: there is no lr.x
fit {here}/circle.safetensors -p training.lr=fast | lr wants a number such as 0.01, got 'fast'
fit {here}/circle.safetensors -p training.lr=.nan | lr wants a finite number of 0 or more, such as 0.01, got nan
fit {here}/circle.safetensors -p training.lr=-1 | lr wants a finite number of 0 or more, such as 0.01, got
fit {here}/circle.safetensors -p training.betas=[0.9] | betas wants a list of 2 such as 0.9,0.999, got 0.9
fit {here}/circle.safetensors -p training.betas=[0.9,1.5] | The betas of Adam must be below 1, got (0.9, 1.5)
fit {here}/circle.safetensors -p training.check_every=0 | check_every must be above 0, got 0
fit {here}/circle.safetensors -p field.hidden=0 | hidden must be above 0, got 0
fit {here}/circle.safetensors -p field.activation=relu | There is no activation 'relu', did you mean 'leaky_relu'
fit {here}/circle.safetensors -p solver.solver=dopri55 | There is no solver 'dopri55', did you mean 'dopri5'; legal
fit {here}/circle.safetensors -p depth | -p wants NAME=VALUE, such as seed=1, got 'depth'
fit {here}/circle.safetensors -p =5 | -p wants NAME=VALUE, such as seed=1, got '=5'
fit {here}/circle.safetensors -p space=[1 | -p space=[1 cannot be read: a value is YAML, such as 5, 0.1
invert single-face-video -p steps=many | steps wants a whole number such as 16, got 'many'
invert single-face-video -p step=40 | There is no setting 'step', did you mean 'steps'; legal are
invert single-face-video --frames 2 -p start=middle | There is no start 'middle'; legal are encoder, moved, previous
render {here}/circle.fit | belongs to weights none of mobilestylegan-ffhq, the ones
render {here}/drawn.fit --fps 0 | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/drawn.fit --fps nan | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/drawn.fit --fps inf | The frame rate must be above 0, from 0.001 to at most 1000
invert single-face-video -p batch=0 | batch must be above 0, got 0
invert single-face-video -p resolution=300 | The resolution must be one of (16, 32, 64, 128, 256, 512
invert single-face-video -p beta2=1.5 | beta2 must lie in [0, 1), got 1.5
render {here}/drawn.fit --resolution 300 | The resolution must be one of [16, 32, 64, 128, 256, 512
fit {here}/circle.safetensors -o {here}/text.mp4/fit.safetensors | cannot be written: Not a directory
fit {here}/circle.safetensors -o {here}/folder | cannot be written: it is a folder, name a file
invert single-face-video -o {here}/text.mp4/clip.safetensors | cannot be written: Not a directory
render {here}/drawn.fit -o {here}/folder | cannot be written: it is a folder, name a file
evaluate {here}/circle.fit -o {here}/text.mp4/out.json | cannot be written: Not a directory
diagnose {here}/circle.safetensors -o {here}/figure.xyz | does not say what is written, .png or .pdf or .svg or .jpg or
fit {here}/circle.safetensors -o {here}/circle.safetensors | is the input itself: name another output
invert {here}/text.mp4 -o {here}/folder/../text.mp4 | is the input itself: name another output
evaluate {here}/circle.fit -o {here}/circle.fit | is the input itself: name another output
diagnose {here}/circle.safetensors -o {here}/circle.safetensors | is the input itself: name another output
invert {here}/half-grey.mp4 | holds nothing that can be read: it may be cut off
invert {here}/grey.png | give footage of a face seen from the front
invert {here}/grey.mp4 | give footage of a face seen from the front
invert {here}/circle.fit | is not a video that can be read to its end (Invalid data
invert {here}/small.safetensors | is not a video that can be read to its end (Invalid data
invert {here}/codes.npy | is not a video that can be read to its end (Invalid data
invert {here}/list.txt | is not a video that can be read to its end (Invalid data
invert {here}/record.json | is not a video that can be read to its end (Invalid data
invert {here}/pipe | is a device, pipe or socket: give the path of a video
invert /dev/null | /dev/null is a device, pipe or socket: give the path of a
invert /dev/zero | /dev/zero is a device, pipe or socket: give the path of a
invert {here}/sparse.safetensors | is not a video that can be read to its end (Invalid data
invert {here}/dangling.safetensors | is a link to nothing: give the path of a video
invert {here}/loop.safetensors | is a link to nothing: give the path of a video
invert https://example.org/talk.mp4 | https://example.org/talk.mp4 is an address, download that
invert 'C:\\Users\\me\\talk.mp4' | There is no file C:\Users\me\talk.mp4: give the path of a
invert '*.mp4' | There is no file *.mp4, no name fits that pattern: give the
invert '~/talk.mp4' | There is no file ~/talk.mp4, within quotes shells leave ~ as
invert '' | . is a folder: give the path of a video
invert ' ' | There is no file  : give the path of a video
invert . | . is a folder: give the path of a video
invert / | / is a folder: give the path of a video
invert {here}/grey.MP4 | give the path of a video
invert '{here}/grey.mp4 ' | give the path of a video
invert 'a\nb.mp4' | There is no file a\nb.mp4: give the path of a video
invert 'a\x00b.mp4' | 'a\x00b.mp4' holds a NUL character, which no name and no
invert 'a\xffb.mp4' | There is no file a\udcffb.mp4: give the path of a video
invert single-face-vidoe | There is no video 'single-face-vidoe', did you mean
fit single_face | There is no clip 'single_face', did you mean
fit Single_Face.warm | There is no clip 'Single_Face.warm', did you mean
fit {here}/grey.mp4 | is a video: turn it into codes first by `dynode invert
fit {here}/empty.safetensors | is no safetensors file, or is cut off: a clip (as `dynode
fit {here}/half-circle.safetensors | is no safetensors file, or is cut off: a clip (as `dynode
fit {here}/tiny.safetensors | has format 'dynode-stylegan2-1': a clip (as `dynode invert`
fit {here}/encoder.safetensors | has format 'dynode-encoder-1': a clip (as `dynode invert`
fit {here}/codes.npy | --fps 25 --generator NAME -o codes.clip.safetensors` makes a
fit {here}/codes.pt | --fps 25 --generator NAME -o codes.clip.safetensors` makes a
fit {here}/record.json | is no safetensors file, or is cut off: a clip (as `dynode
fit {here}/pipe | is a device, pipe or socket: a clip (as `dynode invert`
fit /dev/null | /dev/null is a device, pipe or socket: a clip (as `dynode
fit /dev/zero | /dev/zero is a device, pipe or socket: a clip (as `dynode
fit {here}/sparse.safetensors | is no safetensors file, or is cut off: a clip (as `dynode
fit {here}/dangling.safetensors | is a link to nothing: give a clip, as `dynode invert` writes
fit {here}/loop.safetensors | is a link to nothing: give a clip, as `dynode invert` writes
fit '' | There is no clip '': give a clip file or one of bird.beats
fit ' ' | There is no clip ' ': give a clip file or one of bird.beats
fit . | . is a folder: a clip (as `dynode invert` writes it) was
fit bird.mp4 | There is no file bird.mp4: give a clip, as `dynode invert`
fit https://example.org/talk.safetensors | https://example.org/talk.safetensors is an address, download
fit '*.safetensors' | There is no file *.safetensors, no name fits that pattern
fit '~/talk.safetensors' | There is no file ~/talk.safetensors, within quotes shells
fit 'C:\\talk.safetensors' | There is no file C:\talk.safetensors: give a clip, as `dynode
fit 'single_face.warm ' | There is no clip 'single_face.warm ', did you mean
fit 'a\nb.safetensors' | There is no file a\nb.safetensors: give a clip, as `dynode
fit 'a\x00b' | 'a\x00b' holds a NUL character, which no name and no value
fit 'a\xffb' | There is no clip 'a\udcffb': give a clip file or one of
fit {here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here}/{here} | give a clip, as `dynode invert` writes it, or the name of a
fit xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | A file could not be read or written: File name too long
diagnose {here}/none | give a clip, as `dynode invert` writes it, or the name of a
diagnose {here}/grey.mp4 | is a video: turn it into codes first by `dynode invert
render {here}/half-circle.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/empty.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/text.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/grey.mp4 | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/tiny.safetensors | has format 'dynode-stylegan2-1': a fit (as `dynode fit`
render {here}/record.json | is no safetensors file, or is cut off: a fit (as `dynode fit`
render {here}/pipe | is a device, pipe or socket: a fit (as `dynode fit` writes
render /dev/null | /dev/null is a device, pipe or socket: a fit (as `dynode fit`
render {here}/sparse.safetensors | is no safetensors file, or is cut off: a fit (as `dynode fit`
render '' | . is a folder: a fit (as `dynode fit` writes it) was wanted
render single_face.warm | There is no file single_face.warm: a fit (as `dynode fit`
render talk | There is no file talk: a fit (as `dynode fit` writes it) was
evaluate {here}/none.fit | a fit (as `dynode fit` writes it) was wanted
evaluate {here}/circle.safetensors | has format 'dynode-clip-1': a fit (as `dynode fit` writes it)
evaluate {here}/circle.fit {here}/circle.fit | is named 2 times: name it once
evaluate {here}/circle.fit --clip {here}/longer.safetensors | The clip longer belongs to weights none of
evaluate {here}/half-circle.fit | is no safetensors file, or is cut off: a fit (as `dynode fit`
evaluate {here}/folder | is a folder: a fit (as `dynode fit` writes it) was wanted
evaluate /dev/null | /dev/null is a device, pipe or socket: a fit (as `dynode fit`
evaluate '' | . is a folder: a fit (as `dynode fit` writes it) was wanted
evaluate {here}/small.fit --clip {here}/small.safetensors --source | small came without the squares their faces were cut from: leave out --source
evaluate {here}/small.fit {here}/small.fit --clip {here}/small.safetensors | is named 2 times: name it once
evaluate {here}/small.fit --clip {here}/drawn.safetensors | its times differ
choose-depth {here}/none.safetensors | give a clip, as `dynode invert` writes it, or the name of a
choose-depth {here}/circle.fit | has format 'dynode-fit-5': a clip (as `dynode invert` writes
choose-depth {here}/grey.mp4 | is a video: turn it into codes first by `dynode invert
choose-depth {here}/folder | is a folder: a clip (as `dynode invert` writes it) was wanted
choose-depth /dev/null | /dev/null is a device, pipe or socket: a clip (as `dynode
score {here}/none.png | give the path of a video
score {here}/folder | is a folder: give the path of a video
score {here}/text.png | is not a video that can be read to its end (Invalid data
score {here}/empty.png | is not a video that can be read to its end (Invalid data
score {here}/half-grey.png | is not a video that can be read to its end (Invalid data
score {here}/grey.png | give a picture of a face seen from the front, or choose other
score {here}/grey.mp4 | give a picture of a face seen from the front, or choose other
score {here}/sound.wav | has no video stream: give a video such as .mp4, .mov or .webm
score {here}/text.mp4 | is not a video that can be read to its end (Invalid data
score {here}/circle.safetensors | is not a video that can be read to its end (Invalid data
score /dev/null | /dev/null is a device, pipe or socket: give the path of a
score /dev/zero | /dev/zero is a device, pipe or socket: give the path of a
score {here}/pipe | is a device, pipe or socket: give the path of a video
score '*.png' | There is no file *.png, no name fits that pattern: give the
score '' | . is a folder: give the path of a video
score https://example.org/face.jpg | https://example.org/face.jpg is an address, download that
edit {here}/none.mp4 --attribute smile=1 | give a video, a clip, or the name of a shipped clip
edit {here}/text.mp4 --attribute smile=1 | is not a video that can be read to its end (Invalid data
edit {here}/circle.fit --attribute smile=1 | is not a video that can be read to its end (Invalid data
edit {here}/nan.safetensors --attribute smile=1 | The codes of frames 0, 1, 2, 3 hold NaN or infinite
edit {here}/folder --attribute smile=1 | is a folder: give a video, a clip, or the name of a shipped
edit /dev/null --attribute smile=1 | /dev/null is a device, pipe or socket: give a video, a clip
edit /dev/zero --attribute smile=1 | /dev/zero is a device, pipe or socket: give a video, a clip
edit {here}/pipe --attribute smile=1 | is a device, pipe or socket: give a video, a clip, or the
edit {here}/small.safetensors --attribute smile=1 | There is no latent transformer 'smile', and none ships
edit '' --attribute smile=1 | . is a folder: give a video, a clip, or the name of a shipped
edit https://example.org/talk.mp4 --attribute smile=1 | https://example.org/talk.mp4 is an address, download that
evaluate-edit nope.mp4 nope2.mp4 | There is no file nope.mp4: give the path of a video
evaluate-edit {here}/grey.mp4 nope.mp4 | There is no file nope.mp4: give the path of a video
evaluate-edit {here}/grey.mp4 {here}/text.mp4 | is not a video that can be read to its end (Invalid data
evaluate-edit {here}/grey.mp4 {here}/grey.png | Consistency needs at least 2 frames
evaluate-edit {here}/grey.mp4 {here}/folder | is a folder: give the path of a video
evaluate-edit {here}/grey.mp4 {here}/circle.safetensors | is not a video that can be read to its end (Invalid data
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 | None of 15 comparisons of frames can be made: no two frames
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face --clip nope | There is no clip 'nope': give a clip file or one of
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face --i3d {here}/codes.pt | is no TorchScript file: I3D is wanted as StyleGAN-V's
evaluate-edit /dev/null /dev/null | /dev/null is a device, pipe or socket: give the path of a
evaluate-edit {here}/pipe {here}/pipe | is a device, pipe or socket: give the path of a video
edit-text nope red | There is no clip 'nope': give a clip file or one of
edit-text {here}/none.safetensors red | give a clip, as `dynode invert` writes it, or the name of a
edit-text {here}/circle.fit red | has format 'dynode-fit-5': a clip (as `dynode invert` writes
edit-text {here}/small.safetensors red --image-text {here}/codes.pt | is no TorchScript archive: CLIP's ViT-B-32.pt was wanted
edit-text single_face.warm red --image-text {here}/none.pt | CLIP's archive ViT-B-32.pt was wanted
edit-text single_face.warm red --image-text {here}/text.pt | is no TorchScript archive: CLIP's ViT-B-32.pt was wanted
edit-text single_face.warm red --image-text {here}/folder | is a folder: CLIP's archive ViT-B-32.pt was wanted
edit-text single_face.warm red --image-text /dev/null | /dev/null is a device, pipe or socket: CLIP's archive
edit-text single_face.warm red --image-text {here}/encoder.safetensors | holds no CLIP with a vision transformer: ViT-B-32.pt was
run table1 table1 | The item table1 is named 2 times: name it once
edit single_face.warn --attribute smile=1 | There is no video 'single_face.warn', did you mean
"""
