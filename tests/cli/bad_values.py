"""Numbers and settings that cannot be, of fits, inversions and videos: what is typed after `dynode` | a part of the sentence that answers it."""

VALUES = r"""
fit {here}/circle.safetensors --stride -1 | The stride must be at least 1, got -1: every N-th frame is
fit {here}/circle.safetensors --stride 1000000000000000000000000000000 | --stride wants a whole number of at most 9007199254740992
fit {here}/circle.safetensors --stride 1000000000000000000000000000000 --sampling irregular | --stride wants a whole number of at most 9007199254740992
fit {here}/circle.safetensors --hidden-end 1000000000000000000000000000000 | --hidden-end wants a whole number of at most
fit {here}/circle.safetensors --seed 1000000000000000000000000000000 | A seed must be 0 or more and below 2**63, got
fit {here}/circle.safetensors --seed 18446744073709551616 | A seed must be 0 or more and below 2**63, got
fit {here}/circle.safetensors --preset '' | There is no method ''; legal are auto, calm, catmull_rom, cde
fit {here}/circle.safetensors --preset DynODE | There is no method 'DynODE'; legal are auto, calm, catmull_rom
fit {here}/circle.safetensors --sampling '' | There is no sampling ''; legal are irregular, regular
fit {here}/circle.safetensors --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors --device cuda | The device cuda was asked for, but torch finds no CUDA device
fit {here}/circle.safetensors --device cuda:99 | The device cuda:99 was asked for, but torch finds no CUDA
fit {here}/circle.safetensors --device cuda:x | There is no device 'cuda:x': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors --device cuda:-1 | There is no device 'cuda:-1': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors --device mps | The device mps cannot be used here (it has no float64 numbers
fit {here}/circle.safetensors --device '' | There is no device '': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors --device CPU0 | There is no device 'CPU0': name cpu, cuda, cuda:1 or auto
fit {here}/circle.safetensors -p iterations=5 | There is no setting 'iterations'; legal are clock, field
fit {here}/circle.safetensors -p field=3 | field has the settings activation, depth, drift, frequencies
fit {here}/circle.safetensors -p training.lr= | lr wants a number such as 0.01, got none
fit {here}/circle.safetensors -p training.lr=nan | lr wants a finite number of 0 or more, such as 0.01, got nan
fit {here}/circle.safetensors -p training.lr=1e400 | lr wants a finite number of 0 or more, such as 0.01, got inf
fit {here}/circle.safetensors -p training.iterations=1e3 | iterations wants a whole number such as 0, got '1e3'
fit {here}/circle.safetensors -p training.iterations=-1 | iterations wants a finite number of 0 or more, such as 0, got
fit {here}/circle.safetensors -p training.iterations=2.5 | iterations wants a whole number such as 0, got 2.5
fit {here}/circle.safetensors -p training.iterations=yes | iterations wants a whole number such as 0, got true
fit {here}/circle.safetensors -p training.iterations=[1,2] | iterations wants a whole number such as 0, got 1,2
fit {here}/circle.safetensors -p training.iterations=ten | iterations wants a whole number such as 0, got 'ten'
fit {here}/circle.safetensors -p training.betas=0.9 | betas wants a list of 2 such as 0.9,0.999, got 0.9
fit {here}/circle.safetensors -p training.betas=0.9,1.5 | The betas of Adam must be below 1, got (0.9, 1.5)
fit {here}/circle.safetensors -p training.betas=a,b | betas wants a number such as 0.9, got 'a'
fit {here}/circle.safetensors -p field.depth=1000000000000000000000000000000 | depth wants a whole number of at most 9007199254740992, such
fit {here}/circle.safetensors -p field.activation= | activation wants a text such as 'tanh', got none
fit {here}/circle.safetensors -p '' | -p wants NAME=VALUE, such as seed=1, got ''
fit {here}/circle.safetensors -p ' ' | -p wants NAME=VALUE, such as seed=1, got ' '
fit {here}/circle.safetensors -p .=5 | There is no setting ''; legal are clock, field, losses
fit {here}/circle.safetensors -p training.=5 | training. has the settings batch, betas, both_ways
fit {here}/circle.safetensors -p .lr=5 | There is no setting ''; legal are clock, field, losses
fit {here}/circle.safetensors -p 'space: 5' | -p wants NAME=VALUE, such as seed=1, got 'space: 5'
fit {here}/circle.safetensors -p space=nope | There is no state space 'nope'; legal are entrywise, standardised
fit {here}/circle.safetensors -p 'training.lr=!!python/object:os.system x' | -p training.lr=!!python/object:os.system x cannot be read: a
fit {here}/circle.safetensors -p training.lr=2024-01-01 | lr wants a number such as 0.01, got datetime.date(2024, 1
fit {here}/circle.safetensors -p training.lr=–1 | lr wants a number such as 0.01, got '–1'
fit {here}/circle.safetensors -p 'training.lr=0,01' | lr wants a number such as 0.01, got '0,01'
fit {here}/circle.safetensors -p training.lr={{}} | lr wants a number such as 0.01, got {}
fit {here}/circle.safetensors --preset linear -p depth=3 | This method has no settings, got -p depth=3: leave it out
fit {here}/circle.safetensors --preset gru -p hidden=0 | hidden must be above 0, got 0
fit {here}/circle.safetensors --preset gru -p hiden=3 | There is no setting 'hiden', did you mean 'hidden'; legal are
fit {here}/circle.safetensors --preset gru -p iterations=0 | iterations must be above 0, got 0
fit {here}/circle.safetensors --preset latent_ode -p hidden=x | hidden wants a whole number such as 32, got 'x'
fit {here}/circle.safetensors --preset auto -p candidates=linear,auto | auto cannot choose itself: name other methods
fit {here}/circle.safetensors --preset auto -p candidates=linear,cubix | There is no method 'cubix', did you mean 'cubic'
fit {here}/circle.safetensors --preset auto -p left_out=0 | left_out must be above 0, got 0
fit {here}/circle.safetensors --preset prior | No other clip is shipped to learn the motion of circle from
fit {here}/circle.safetensors --preset dynode --latent-only -p nope=1 | There is no setting 'nope'; legal are clock, field, losses
invert {here}/grey.mp4 -p steps=many | steps wants a whole number such as 16, got 'many'
invert {here}/grey.mp4 -p step=40 | There is no setting 'step', did you mean 'steps'; legal are
invert {here}/grey.mp4 -p start=middle | There is no start 'middle'; legal are encoder, moved, previous
invert {here}/grey.mp4 --protocol chains | There is no protocol 'chains', did you mean 'chain'
invert {here}/grey.mp4 --protocol independent -p start=previous | The protocol independent starts each frame by itself, got start=previous
invert {here}/grey.mp4 --protocol chain -p start=w_avg | The protocol chain starts a frame from the one before it, got start=w_avg
invert {here}/grey.mp4 --protocol independent --stride 4 | A stride of 4 belongs to the protocol observed, got the protocol
invert {here}/grey.mp4 --protocol observed --stride -4 | The stride must be at least 2, got -4
invert {here}/grey.mp4 -p steps=0 -p first_steps=0 | steps must be above 0, got 0
invert {here}/grey.mp4 -p batch=0 | batch must be above 0, got 0
invert {here}/grey.mp4 -p resolution=300 | The resolution must be one of (16, 32, 64, 128, 256, 512
invert {here}/grey.mp4 -p resolution=0 | The resolution must be one of (16, 32, 64, 128, 256, 512
invert {here}/grey.mp4 -p beta2=1.5 | beta2 must lie in [0, 1), got 1.5
invert {here}/grey.mp4 -p lr=nan | lr wants a finite number of 0 or more, such as 0.05, got nan
invert {here}/grey.mp4 --every 0 | --first and --frames must be 0 or more and --every at least
invert {here}/grey.mp4 --every -1 | --first and --frames must be 0 or more and --every at least
invert {here}/grey.mp4 --first -1 | --first and --frames must be 0 or more and --every at least
invert {here}/grey.mp4 --first 100 | ends before the frames that were asked for: choose an earlier
invert {here}/grey.mp4 --first 1000000000000000000000000000000 | --first wants a whole number of at most 9007199254740992, got
invert {here}/grey.mp4 --frames -3 | --first and --frames must be 0 or more and --every at least
invert {here}/grey.mp4 --every 1000000000000000000000000000000 | --every wants a whole number of at most 9007199254740992, got
invert {here}/grey.mp4 --face left | A face is 'largest' or a number counted from the left (0
invert {here}/grey.mp4 --face -1 | A face is 'largest' or a number counted from the left (0
invert {here}/grey.mp4 --face '' | A face is 'largest' or a number counted from the left (0
invert {here}/grey.mp4 --face 1.5 | A face is 'largest' or a number counted from the left (0
invert {here}/grey.mp4 --generator nope | There is no generator 'nope'; legal are dcgan-isaac3d
invert {here}/grey.mp4 --generator '' | There is no generator ''; legal are dcgan-isaac3d
invert {here}/grey.mp4 --generator {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
invert {here}/grey.mp4 --generator {here}/none.safetensors | train a generator by `dynode train gan`, or name a known one
invert {here}/grey.mp4 --generator {here}/half-tiny.safetensors | is no safetensors file, or is cut off: a generator (as
invert {here}/grey.mp4 --generator {here}/encoder.safetensors | has format 'dynode-encoder-1': a generator (as `dynode train
invert {here}/grey.mp4 --generator {here}/folder | legal are dcgan-isaac3d, mobilestylegan-ffhq, stylegan2-bird-factors
invert {here}/grey.mp4 --generator /dev/null | There is no generator '/dev/null'; legal are dcgan-isaac3d
invert {here}/grey.mp4 --generator stylegan2-scene-factors@q | There is no latent space 'q'; legal are w, z
invert {here}/grey.mp4 --generator mobilestylegan-ffhq@w | give footage of a face seen from the front
invert {here}/grey.mp4 --encoder nope | give footage of a face seen from the front
invert {here}/grey.mp4 --generator stylegan2-scene-factors -p start=encoder --encoder {here}/circle.safetensors | has format 'dynode-clip-1': an encoder (as `dynode train
invert {here}/grey.mp4 --generator stylegan2-scene-factors -p start=encoder --encoder {here}/none.safetensors | an encoder (as `dynode train encoder` writes it) was wanted
invert {here}/grey.mp4 --generator stylegan2-scene-factors -p start=encoder --encoder {here}/half-encoder.safetensors | is no safetensors file, or is cut off: an encoder (as `dynode
invert {here}/grey.mp4 -p start=encoder | give footage of a face seen from the front
render {here}/small.fit --fps 0 | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --fps -1 | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --fps nan | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --fps inf | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --fps 1e9 | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --fps 1e-9 | The frame rate must be above 0, from 0.001 to at most 1000
render {here}/small.fit --speed 0 | The speed must lie between 0.001 and 1000, got 0: 2 is twice
render {here}/small.fit --speed -1 | The speed must lie between 0.001 and 1000, got -1: 2 is twice
render {here}/small.fit --speed nan | The speed must lie between 0.001 and 1000, got nan: 2 is
render {here}/small.fit --speed inf | The speed must lie between 0.001 and 1000, got inf: 2 is
render {here}/small.fit --speed 1e9 | The speed must lie between 0.001 and 1000, got 1e+09: 2 is
render {here}/small.fit --resolution 3 | The resolution must be one of [16], got 3
render {here}/small.fit --resolution 300 | The resolution must be one of [16], got 300
render {here}/small.fit --resolution 100000 | The resolution must be one of [16], got 100000
render {here}/small.fit --resolution -16 | The resolution must be one of [16], got -16
render {here}/small.fit --loop nope | There is no loop 'nope'; legal are blend, swing
render {here}/small.fit --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
evaluate {here}/small.fit --clip {here}/small.safetensors --device gpu | There is no device 'gpu': name cpu, cuda, cuda:1 or auto
choose-depth {here}/small.safetensors --depths | The depths must be different whole numbers of 1 or more, such
choose-depth {here}/small.safetensors --depths 0 | The depths must be different whole numbers of 1 or more, such
choose-depth {here}/small.safetensors --depths -1 | The depths must be different whole numbers of 1 or more, such
choose-depth {here}/small.safetensors --depths 1 1 | The depths must be different whole numbers of 1 or more, such
choose-depth {here}/small.safetensors --seeds | The seeds must be different whole numbers of 0 or more, such
choose-depth {here}/small.safetensors --seeds -1 | The seeds must be different whole numbers of 0 or more, such
choose-depth {here}/small.safetensors --seeds 0 0 | The seeds must be different whole numbers of 0 or more, such
choose-depth {here}/small.safetensors --stride 0 | The stride must be at least 1, got 0: every N-th frame is
choose-depth {here}/small.safetensors --stride 100 | small has 8 frames: too few to hold out half of those that
choose-depth {here}/small.safetensors --preset nope | There is no preset 'nope', did you mean 'dynode'; legal are
choose-depth {here}/small.safetensors --preset gru | There is no preset 'gru'; legal are calm, demo, dynode
choose-depth {here}/small.safetensors --preset linear | There is no preset 'linear'; legal are calm, demo, dynode
choose-depth {here}/small.safetensors -p nope=1 | There is no setting 'nope'; legal are clock, field, losses
choose-depth {here}/small.safetensors {here}/small.safetensors -p training.iterations=1 -p training.segment_iterations=1 --stride 2 | is named 2 times: name it once
invert {here}/grey.mp4 --generator stylegan2-scene-factors --encoder {here}/encoder.safetensors | An encoder is read with start=encoder or start=moved: add one
train boundary -p share=2 | share is a fraction of the samples below 1, or a count of at least 10, got 2
train flow stylegan2-scene-factors fog -p flow.factor=hour | flow.factor is set by an argument of this command, to 'fog'
train captions face -p network.category=bird | network.category is set by an argument of this command, to
train mapper stylegan2-scene-factors mountain -p mapper.text=fog | mapper.text is set by an argument of this command, to
train gan bird -p generator.z_dim=3 | generator.z_dim is set by an argument of this command, to 15
train gan bird -p generator.resolution=16 | AlexNet, whose features train and measure a generator, wants 32
train gan bird --minutes 0 --pictures 16 --measured 16 | The minutes of a training must be above 0, got 0: leave them
"""
