"""Edits, items and outputs that cannot be: what is typed after `dynode` | a part of the sentence that answers it."""

EDITS = r"""
edit single_face.warm --attribute smile= | A strength is a number or SECONDS:STRENGTH,..., such as
edit single_face.warm --attribute =1 | An edit is NAME=STRENGTH, such as smile=1.5, or
edit single_face.warm --attribute '' | An edit is NAME=STRENGTH, such as smile=1.5, or
edit single_face.warm --attribute smile=abc | A strength is a number or SECONDS:STRENGTH,..., such as
edit single_face.warm --attribute smile=0:0,0:1 | The times of smile must increase, got 0 0: write them as
edit single_face.warm --attribute smile=1:0,0:1 | The times of smile must increase, got 1 0: write them as
edit single_face.warm --attribute smile=0:a | A strength is a number or SECONDS:STRENGTH,..., such as
edit single_face.warm --attribute smile=0:0,1 | The times of smile must increase, got 0 0: write them as
edit single_face.warm --attribute smile=inf | The times and strengths of smile must be finite numbers, got
edit single_face.warm --attribute smile=0:nan,1:1 | The times and strengths of smile must be finite numbers, got
edit single_face.warm --attribute smle=1 | There is no latent transformer 'smle', did you mean 'smile'
edit single_face.warm --attribute Smile=1 | There is no latent transformer 'Smile', did you mean 'smile'
edit single_face.warm --attribute face.smile=1 | There is no latent transformer 'face.smile', did you mean 'smile'
edit single_face.warm --attribute eyeglasses=4 | 'eyeglasses': `--editor interfacegan` has it
edit single_face.warm --attribute smile=1 --rows 99 | The codes of mobilestylegan-ffhq have 23 style rows, 99 were
edit single_face.warm --attribute smile=1 --stride 0 | The stride must be at least 1, got 0: every N-th frame is
edit single_face.warm --attribute smile=1 --stride -4 | The stride must be at least 1, got -4: every N-th frame is
edit single_face.warm --attribute smile=1 --paste nope | There is no mode of pasting 'nope', did you mean 'none'
edit single_face.warm --attribute smile=1 --paste '' | There is no mode of pasting ''; legal are feather, none
edit single_face.warm --attribute smile=1 --mask nope | There is no mask 'nope': legal are landmarks, ellipse, whole
edit single_face.warm --attribute smile=1 --mask nope.pt | There is no file nope.pt: name a TorchScript file of a face
edit single_face.warm --attribute smile=1 --mask {here}/text.pt | is no TorchScript file that can be read: export a face parser
edit single_face.warm --attribute smile=1 --mask {here}/codes.pt | is no TorchScript file that can be read: export a face parser
edit single_face.warm --attribute smile=1 --mask {here}/folder | legal are landmarks, ellipse, whole, or a TorchScript file of
edit single_face.warm --attribute smile=1 --mode nope | There is no mode of propagation 'nope'; legal are flow
edit single_face.warm --attribute smile=1 --method nope | There is no method of editing videos 'nope'; legal are
edit single_face.warm --attribute smile=1 --method latent-transformer -p dynamics.field.depth=2 | latent-transformer fits no dynamics: leave out field.depth
edit single_face.warm --attribute smile=1 --editor nope | There is no method of editing 'nope'; legal are flow
edit single_face.warm --attribute smile=1 --editor '' | There is no method of editing ''; legal are flow, ganspace
edit single_face.warm --attribute smile=1 --editor flow | There is no flow 'smile': `--editor interfacegan` has it
edit single_face.warm --attribute fog=1 --editor flow | There is no flow 'fog', and none ships for face: `dynode
edit single_face.warm --attribute nope=1 --editor interfacegan | There is no attribute 'nope'; legal are age, angry
edit single_face.warm --attribute x=1 --editor ganspace | W of mobilestylegan-ffhq has components 1 to 512, got 'x'
edit single_face.warm --attribute nope=1 --editor styleclip | There is no mapper 'nope'; legal are lipstick, smile, and
edit single_face.warm --attribute {here}/none.safetensors=1 | a latent transformer (as `dynode train transformer` writes
edit single_face.warm --attribute {here}/circle.safetensors=1 | has format 'dynode-clip-1': a latent transformer (as `dynode
edit single_face.warm --attribute {here}/flow.safetensors=1 | has format 'dynode-flow-1': a latent transformer (as `dynode
edit single_face.warm --attribute {here}/half-transformer.safetensors=1 | is no safetensors file, or is cut off: a latent transformer
edit single_face.warm --attribute {here}/text.safetensors=1 | is no safetensors file, or is cut off: a latent transformer
edit single_face.warm --attribute smile=1 --strength-over-time nope | A strength is a number or SECONDS:STRENGTH,..., such as
edit single_face.warm --attribute smile=1 --strength-over-time 0:0,0:1 | The times of the strength over time must increase, got 0 0
edit single_face.warm --attribute smile=1 --strength-over-time 0:nan | The times and strengths of the strength over time must be
edit single_face.warm --attribute smile=1 --footage nope.mp4 | There is no file nope.mp4: name the video that
edit single_face.warm --attribute smile=1 --footage {here}/grey.mp4 | is not the video that single_face.warm was made from
edit single_face.warm --attribute smile=1 --footage {here}/text.mp4 | is not the video that single_face.warm was made from
edit single_face.warm --attribute smile=1 --footage {here}/folder | name the video that single_face.warm was made from
edit single_face.warm --attribute smile=1 --save-frames {here}/text.mp4 | cannot be written: Not a directory
edit single_face.warm --attribute smile=1 --save-frames {here}/text.mp4/frames | cannot be written: Not a directory
edit single_face.warm --attribute smile=1 --codes {here}/folder | cannot be written: it is a folder, name a file
edit single_face.warm --attribute smile=1 --codes x.mp4 -o x.mp4 | x.mp4 does not say what is written, .safetensors: name it
edit single_face.warm --attribute smile=1 --codes {here}/text.mp4/x | does not say what is written, .safetensors: name it
edit single_face.warm --attribute smile=1 -o {here}/folder | does not say what is written, .mp4: name it folder.mp4
edit single_face.warm --attribute smile=1 -o x.safetensors | x.safetensors does not say what is written, .mp4: name it x.mp4
edit single_face.warm --attribute smile=1 -o noext | noext does not say what is written, .mp4: name it noext.mp4
edit single_face.warm --attribute smile=1 --frames -1 | --first and --frames must be 0 or more and --every at least
edit single_face.warm --attribute smile=1 --frames 1 | A clip wants at least 2 frames, got 1: dynamics need a motion
edit single_face.warm --attribute smile=1 --first 1000 | single_face.warm is a clip, whose frames were chosen before
edit single_face.warm --attribute smile=1 --every 0 | --first and --frames must be 0 or more and --every at least
edit single_face.warm --attribute smile=1 --face 3 | single_face.warm is a clip, whose frames were chosen before
edit single_face.warm --attribute smile=1 -p nope=1 | There is no setting of an edit 'nope'; legal are batch
edit single_face.warm --attribute smile=1 -p dynamics.nope=1 | There is no setting of an edit 'dynamics.nope', did you mean
edit single_face.warm --attribute smile=1 -p dynamics.field.depth=x | depth wants a whole number such as 1, got 'x'
edit single_face.warm --attribute smile=1 -p dynamics.=1 | There is no setting of an edit 'dynamics.', did you mean
edit single_face.warm --attribute smile=1 -p steps=x | single_face.warm is a clip, whose codes were inverted before
edit single_face.warm --attribute smile=1 --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
edit bird.flight --attribute smile=1 | There is no latent transformer 'smile', and none ships for bird
edit scene.day --attribute fog=1 --editor interfacegan | There is no generator with boundaries 'stylegan2-scene-factors'
edit {here}/grey.mp4 --attribute smile=1 -o {here}/grey.mp4 | is the input itself: name another output
edit {here}/grey.mp4 --attribute smile=1 | give footage of a face seen from the front
edit {here}/grey.png --attribute smile=1 | give footage of a face seen from the front
edit no-face-video --attribute smile=1 --frames 3 | give footage of a face seen from the front
edit-text single_face.warm ' ' | No word of ' ' is known; known are a child, aged, angry
edit-text single_face.warm qwertz | No word of 'qwertz' is known; known are a child, aged, angry
edit-text single_face.warm 'red lips' --frame 1000 | The clip has frames 0 to 47, got 1000
edit-text single_face.warm 'red lips' --frame -1 | The clip has frames 0 to 47, got -1
edit-text single_face.warm 'red lips' --neutral qwertz | No word of 'qwertz' is known; known are a child, aged, angry
edit-text single_face.warm 'red lips' --neutral 'red lips' | 'red lips' and 'red lips' are the same to captions[alexnet]
edit-text single_face.warm 'red lips' --neutral 'pale lips' --strength inf | The strength of an edit must be a finite number, got inf
edit-text single_face.warm 'red lips' -p nope=1 | There is no setting 'nope'; legal are identity, lr
edit-text single_face.warm 'red lips' -p steps=0 | steps must be above 0, got 0
edit-text single_face.warm 'red lips' -p images=4 | There is no setting 'images'; legal are identity, lr
edit-text single_face.warm 'red lips' --neutral 'pale lips' -p steps=4 | There is no setting 'steps'; legal are beta, highest, images
edit-text single_face.warm 'red lips' -o x.mp4 | x.mp4 does not say what is written, .png or .pdf or .svg or
edit-text single_face.warm 'red lips' -o {here}/folder | cannot be written: it is a folder, name a file
edit-text single_face.warm 'red lips' --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
edit-text bird.flight 'red wings' | There is no image-text network of 'bird'; legal are face
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face --frames -1 | The number of frames to compare is 0 (all) or more, got -1
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face --frames 1 | Consistency needs at least 2 frames
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face -p nope=1 | There is no setting 'nope'; legal are clip_len, clip_stride
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face -p clip_len=0 | clip_len must be above 0, got 0
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --no-face -p missing=nope | There is no mode for missing faces 'nope'; legal are raise
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --identity nope | There is no identity network 'nope'; legal are dlib
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --identity dlib | None of 15 comparisons of frames can be made: no two frames
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --i3d {here}/none.pt | name the I3D TorchScript file, or leave it out for TransNetV2
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 --i3d {here}/folder | is a folder: name the I3D TorchScript file, or leave it out
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 -o {here}/text.json | is no record, and one of evaluate-edit would replace it: name
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 -o x.mp4 | x.mp4 does not say what is written, .json or .json.xz: name
evaluate-edit {here}/grey.mp4 {here}/grey.mp4 -o {here}/grey.mp4 | is the input itself: name another output
score {here}/grey.mp4 --first 100 | ends before frame 100: choose an earlier one
score {here}/grey.mp4 --frames -1 | --first and --frames must be 0 or more and --every at least
score {here}/grey.mp4 --every 0 | --first and --frames must be 0 or more and --every at least
score {here}/grey.mp4 --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
score {here}/circle.fit | is not a video that can be read to its end (Invalid data
score {here}/folder {here}/grey.png | is a folder: give the path of a video
bench nope | There is no comparison 'nope'; legal are compiled10, compiled100
bench fits nope | There is no comparison 'nope'; legal are compiled10, compiled100
bench --repeats 0 | --repeats must be at least 1, got 0
bench --repeats -1 | --repeats must be at least 1, got -1
bench openvino | openvino is not installed: `pip install openvino`, then
bench fits -o {here}/folder | cannot be written: it is a folder, name a file
bench fits -o {here}/text.json | is no record, and one of bench would replace it: name another
fetch nope | There is no asset 'nope'
fetch '' | There is no asset ''
fetch single-face-video nope | There is no asset 'nope'
run nope | There is no item 'nope'; legal are ablations, beyond
run '' | There is no item ''; legal are ablations, beyond
run table1 --part 1 | The item table1 has no parts under the profile embedded, got --part 1
run rivals --part 5 | The item rivals has parts 1 to 4 under the profile embedded, got --part 5
run fig2 -p seeds=1 | fig2 are several items, and -p is of one: name one of them
reproduce nope | There is no item 'nope'; legal are ablations, beyond
reproduce --profile nope | There is no profile 'nope'; legal are embedded, paper, recorded, smoke
reproduce --jobs -1 | --jobs must be 0 or more, got -1
reproduce --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
validate nope | There is no item 'nope'; legal are ablations, beyond
validate --profile nope | There is no profile 'nope'; legal are embedded, paper, recorded, smoke
validate --profile paper | There is no executed notebook of the profile paper in
validate worlds --profile paper | There is no executed notebook of worlds under the profile paper: `dynode run worlds
reproduce --slurm | There is no Slurm here (no `sbatch`): leave out --slurm
run --all table1 | Name items, or give --all for every one: `dynode list` shows
run table1 --all | Name items, or give --all for every one: `dynode list` shows
run table1 -p nope=1 | The item table1 has no parameter 'nope'; legal are item
run table1 -p strides=x | The item table1 has no parameter 'strides', did you mean
run table1 -p strides=[4 | -p strides=[4 cannot be read: a value is YAML, such as 5
run table1 --profile nope | There is no profile 'nope'; legal are embedded, paper, recorded, smoke
run table1 --profile '' | There is no profile ''; legal are embedded, paper, recorded, smoke
run table1 worlds -p seeds=1 | -p changes one item's notebook: name that item alone
run table1.ipynb | There is no item 'table1.ipynb', did you mean 'table1'; legal
run notebooks/09_compare_categories.ipynb | There is no item 'notebooks/09_compare_categories.ipynb'
run {here}/notebook.ipynb | legal are ablations, beyond, compare_editing, demo_codes
diagnose {here}/circle.safetensors -o {here}/folder | cannot be written: it is a folder, name a file
diagnose {here}/circle.safetensors -o {here}/text.mp4/x.png | cannot be written: Not a directory
fit {here}/circle.safetensors -o '' | . cannot be written: it is a folder, name a file
fit {here}/circle.safetensors -o /dev/null | /dev/null cannot be written: it is a device, pipe or socket
fit {here}/circle.safetensors -o {here}/pipe | cannot be written: it is a device, pipe or socket, name a
fit {here}/circle.safetensors -o x.mp4 | x.mp4 does not say what is written, .fit or .safetensors
fit {here}/circle.safetensors -o /proc/nope.fit | /proc/nope.fit cannot be written: No such file or directory
fit {here}/circle.safetensors -o 'a\x00b' | 'a\x00b' holds a NUL character, which no name and no value
invert {here}/grey.mp4 -o x.mp4 | x.mp4 does not say what is written, .safetensors: name it
invert {here}/grey.mp4 -o {here}/text.mp4/clip.safetensors | cannot be written: Not a directory
render {here}/small.fit -o x.png | x.png does not say what is written, .mp4: name it x.mp4
render {here}/small.fit -o {here}/folder | cannot be written: it is a folder, name a file
render {here}/small.fit -o {here}/small.fit | is the input itself: name another output
choose-depth {here}/small.safetensors -o {here}/text.json | is no record, and one of choose-depth would replace it: name
train gan bird -o x.mp4 | x.mp4 does not say what is written, .safetensors: name it
train gan bird -o {here}/folder | cannot be written: it is a folder, name a file
train dynamics bird -o x.mp4 | x.mp4 does not say what is written, .safetensors: name it
train dynamics bird -o {here}/folder | cannot be written: it is a folder, name a file
train encoder stylegan2-bird-factors -o {here}/folder | cannot be written: it is a folder, name a file
world invert bird flight -o {here}/folder | cannot be written: it is a folder, name a file
world flow stylegan2-scene-factors scene.fog -o {here}/folder | cannot be written: it is a folder, name a file
world flow stylegan2-scene-factors scene.fog -o x.mp4 | x.mp4 does not say what is written, .safetensors: name it
"""
