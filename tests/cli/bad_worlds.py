"""Numbers and settings that cannot be, of worlds and trainings: what is typed after `dynode` | a part of the sentence that answers it."""

WORLDS = r"""
world episode bird flight --fps 1e-9 | The frame rate must be above 0, from 0.001 to at most 1000
edit single_face.warm --attribute smile=1 --attribute smile=2 | smile is named 2 times: give it one strength, or one over
edit single_face.warm --attribute smile=1 --rows -2 | The number of edited rows is -1 (all but the fine ones), 0
edit single_face.warm --attribute smile=1 --method latent-transformer --mode flow | latent-transformer has no mode: leave out --mode, or choose
edit single_face.warm --attribute smile=1 --method latent-transformer --stride 8 | latent-transformer has no stride: leave out --stride, or
edit single_face.warm --attribute smile=1 --generator stylegan2-scene-factors | single_face.warm is a clip of mobilestylegan-ffhq, no other
edit single_face.warm --attribute smile=1 --generator nope | single_face.warm is a clip of mobilestylegan-ffhq, no other
edit single_face.warm --attribute smile=1,5 | A strength is written with a point, or over time as
edit single_face.warm --attribute smile=nan | The times and strengths of smile must be finite numbers, got
edit-text single_face.warm '' | No word of '' is known; known are a child, aged, angry
edit-text single_face.warm 'red lips' --neutral 'pale lips' --strength nan | The strength of an edit must be a finite number, got nan
fit single_face.warm -p training.lr=0.1 -p training.lr=0.2 | -p training.lr is given twice: give it once
world episode scenes day | There is no world 'scenes', did you mean 'scene'; legal are
world episode Bird flight | There is no world 'Bird', did you mean 'bird'; legal are
world episode '' flight | There is no world ''; legal are bird, isaac3d, scene
world episode bird '' | There is no episode of bird ''; legal are beats, fast_flight
world episode scene dya | There is no episode of scene 'dya', did you mean 'day'; legal
world episode bird flight --seconds 0 | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --seconds -1 | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --seconds 1e9 | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --seconds nan | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --seconds inf | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --seconds 1e-9 | An episode lasts at least 0.001 and at most 3600 seconds, got
world episode bird flight --fps 0 | The frame rate must be above 0, from 0.001 to at most 1000
world episode bird flight --fps -1 | The frame rate must be above 0, from 0.001 to at most 1000
world episode bird flight --fps nan | The frame rate must be above 0, from 0.001 to at most 1000
world episode bird flight --fps inf | The frame rate must be above 0, from 0.001 to at most 1000
world episode bird flight --fps 1e9 | The frame rate must be above 0, from 0.001 to at most 1000
world episode bird flight --resolution 0 | A picture of a world has 8 to 2048 pixels a side, got 0
world episode bird flight --resolution -1 | A picture of a world has 8 to 2048 pixels a side, got -1
world episode bird flight --resolution 4 | A picture of a world has 8 to 2048 pixels a side, got 4
world episode bird flight --resolution 100000 | A picture of a world has 8 to 2048 pixels a side, got 100000
world episode bird flight --seed -1 | A seed must be 0 or more and below 2**63, got -1
world episode bird flight --seed 1000000000000000000000000000000 | A seed must be 0 or more and below 2**63, got
world episode bird flight --truth {here}/folder | cannot be written: it is a folder, name a file
world episode bird flight --truth {here}/text.mp4/truth.csv | cannot be written: Not a directory
world episode bird flight --truth nope/../x.csv -o x.csv | x.csv does not say what is written, .mp4: name it x.mp4
world episode bird flight -o {here}/folder | cannot be written: it is a folder, name a file
world episode bird flight -o '' | . cannot be written: it is a folder, name a file
world invert bird flight --generator nope | There is no generator 'nope'; legal are dcgan-isaac3d
world invert bird flight --generator {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
world invert bird flight --encoder {here}/none.safetensors -p start=encoder | an encoder (as `dynode train encoder` writes it) was wanted
world invert bird flight --encoder {here}/circle.safetensors -p start=encoder | has format 'dynode-clip-1': an encoder (as `dynode train
world invert bird flight --encoder {here}/encoder.safetensors | An encoder is read with start=encoder or start=moved: add one
world invert bird flight --protocol none | There is no protocol 'none'; legal are chain, independent
world invert bird flight --protocol observed -p start=encoder | The protocol observed starts a frame from the one before it, got start=encoder
world invert bird flight --seconds 0 | An episode lasts at least 0.001 and at most 3600 seconds, got
world invert bird flight --seconds 0.01 | A clip wants at least 2 frames, 0.01 s at 24 per second are 1
world invert bird flight --fps 0 | The frame rate must be above 0, from 0.001 to at most 1000
world invert bird flight --fps nan | The frame rate must be above 0, from 0.001 to at most 1000
world invert bird flight --seed -1 | A seed must be 0 or more and below 2**63, got -1
world invert bird flight -p nope=1 | There is no setting 'nope'; legal are batch, beta1
world invert bird flight -p steps=0 -p first_steps=0 --seconds 0.1 | steps must be above 0, got 0
world flow stylegan2-scene-factors | An episode wants at least one flow, and two frames within an
world invert bird flight --frames 2 | has no option --frames, its frames are --seconds times --fps
world flow stylegan2-scene-factors nope | There is no flow 'nope', and none ships for nope: `dynode
world flow stylegan2-scene-factors scene.fogg | There is no flow 'scene.fogg', did you mean 'scene.fog'
world flow stylegan2-bird-factors scene.fog | scene.fog.safetensors is
world flow mobilestylegan-ffhq scene.fog | scene.fog.safetensors is
world flow nope scene.fog | There is no generator 'nope'; legal are dcgan-isaac3d
world flow stylegan2-scene-factors scene.fog --seconds 0 | An episode wants at least one flow, and two frames within an
world flow stylegan2-scene-factors scene.fog --seconds nan | An episode wants at least one flow, and two frames within an
world flow stylegan2-scene-factors scene.fog --fps 0 | The frame rate must be above 0, from 0.001 to at most 1000
world flow stylegan2-scene-factors scene.fog --fps 1e9 | The frame rate must be above 0, from 0.001 to at most 1000
world flow stylegan2-scene-factors scene.fog --longest 0 | The longest path along a flow must be above 0 and finite, got
world flow stylegan2-scene-factors scene.fog --longest -1 | The longest path along a flow must be above 0 and finite, got
world flow stylegan2-scene-factors scene.fog --longest nan | The longest path along a flow must be above 0 and finite, got
world flow stylegan2-scene-factors scene.fog --seed -1 | A seed must be 0 or more and below 2**63, got -1
world flow stylegan2-scene-factors {here}/circle.safetensors | has format 'dynode-clip-1': a flow (as `dynode train flow`
world flow stylegan2-scene-factors {here}/none.safetensors | a flow (as `dynode train flow` writes it) was wanted
world flow stylegan2-scene-factors {here}/half-flow.safetensors | is no safetensors file, or is cut off: a flow (as `dynode
train gan '' | There is no world ''; legal are bird, isaac3d, scene
train gan bird -p distl=3 | There is no setting 'distl', did you mean 'distil'; legal are
train gan bird -p generator.resolution=48 | The resolution of a StyleGAN2 is a power of two from 8 up
train gan bird -p generator.resolution=0 | resolution must be above 0, got 0
train gan bird -p generator.resolution=100000 | The resolution of a StyleGAN2 is a power of two from 8 up
train gan bird -p generator.resolution=4 | The resolution of a StyleGAN2 is a power of two from 8 up
train gan bird --measured 3 | A generator learns from at least 8 pictures, and from as many
train gan bird --measured 0 | A generator learns from at least 8 pictures, and from as many
train gan bird --measured -5 | A generator learns from at least 8 pictures, and from as many
train gan bird --pictures 0 | A generator learns from at least 8 pictures, and from as many
train gan bird --pictures -1 | A generator learns from at least 8 pictures, and from as many
train gan bird --pictures 4 --measured 16 | A generator learns from at least 8 pictures, and from as many
train gan bird --minutes 0 | The minutes of a training must be above 0, got 0: leave them
train gan bird --minutes -1 | The minutes of a training must be above 0, got -1: leave them
train gan bird --minutes nan | The minutes of a training must be above 0, got nan: leave
train gan bird --architecture nope | There is no architecture 'nope'; legal are dcgan, stylegan2
train gan bird --architecture '' | There is no architecture ''; legal are dcgan, stylegan2
train gan bird -p batch=0 | batch must be above 0, got 0
train gan bird -p lr=nan | lr wants a finite number of 0 or more, such as 0.015, got nan
train gan bird --start {here}/none.safetensors | a generator (as `dynode train gan` writes it) was wanted
train gan bird --start {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
train gan bird --start {here}/tiny.safetensors | is of another shape than the generator to be trained: set
train gan bird --start {here}/half-tiny.safetensors | is no safetensors file, or is cut off: a generator (as
train gan bird --start {here}/folder | is a folder: a generator (as `dynode train gan` writes it)
train gan bird --start nope | There is no file nope: a generator (as `dynode train gan`
train gan bird -p generator.w_dim=0 | w_dim must be above 0, got 0
train gan bird -p generator.depth=0 | depth must be above 0, got 0
train gan bird -p generator.channel_max=0 | channel_max must be above 0, got 0
train encoder nope | There is no generator 'nope'; legal are dcgan-isaac3d
train encoder mobilestylegan-ffhq -p batch=0 | batch must be above 0, got 0
train encoder mobilestylegan-ffhq@w | mobilestylegan-ffhq@w shows no world: an encoder learns from
train all --minutes 0 | The minutes of a training must be above 0, got 0
train all --minutes soon | --minutes wants a number, got 'soon'; `dynode train all
train all --only face | There is no training 'face', did you mean 'face-encoder'; legal are
train all --only bird-encoder --only bird-encoder | The network bird-encoder is named 2 times: name it once
train all --compile perhaps | --compile must be one of auto, always, never, got 'perhaps'
train all -o {here}/text.mp4 | cannot be written: Not a directory
train encoder {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
train encoder {here}/none.safetensors | train a generator by `dynode train gan`, or name a known one
train encoder stylegan2-bird-factors --pictures 0 | At least one picture of a world is wanted to learn from, got
train encoder stylegan2-bird-factors --pictures -1 | At least one picture of a world is wanted to learn from, got
train encoder stylegan2-bird-factors --minutes nan | The minutes of a training must be above 0, got nan: leave
train encoder stylegan2-bird-factors --minutes 0 | The minutes of a training must be above 0, got 0: leave them
train encoder stylegan2-bird-factors -p pictures=0 | pictures must be above 0, got 0
train encoder stylegan2-bird-factors -p batch=0 | batch must be above 0, got 0
train encoder stylegan2-bird-factors -p encoder.passes=0 | passes must be above 0, got 0
train encoder stylegan2-bird-factors -p nope=1 | There is no setting 'nope'; legal are batch, code, ema, encoder
train encoder stylegan2-bird-factors -p lr=-1 | lr wants a finite number of 0 or more, such as 0.001, got
train factors nope | There is no world 'nope'; legal are bird, isaac3d, scene
train factors scene --pictures 0 | At least one picture of a world is wanted to learn from, got
train factors scene -p steps=0 | steps must be above 0, got 0
train factors scene -p batch=0 | batch must be above 0, got 0
train factors scene -p network.channels=0 | channels must be above 0, got 0
train factors scene -p network.channels=1.5 | channels wants a whole number such as 32, got 1.5
train factors scene -p lr=.nan | lr wants a finite number of 0 or more, such as 0.002, got nan
train factors scene -p network.world=nope | network.world is set by an argument of this command, to
train flow stylegan2-scene-factors nope | There is no factor 'nope'; legal are clouds, fog, hour
train flow nope fog | There is no generator 'nope'; legal are dcgan-isaac3d
train flow stylegan2-bird-factors fog | There is no network that reads the factors of 'bird'; legal
train flow mobilestylegan-ffhq smile | There is no network that reads the factors of 'face'; legal
train flow stylegan2-scene-factors fog -p steps=0 | steps must be above 0, got 0
train flow stylegan2-scene-factors fog -p batch=0 | batch must be above 0, got 0
train flow stylegan2-scene-factors fog -p flow.depth=-1 | depth wants a finite number of 0 or more, such as 1, got -1
train flow stylegan2-scene-factors fog -p flow.source=9 | fog has the classes 0 to 3, got 9 and 3
train flow stylegan2-scene-factors fog -p alpha=nan | alpha wants a finite number of 0 or more, such as 6.0, got
train flow stylegan2-scene-factors fog --factors {here}/none.safetensors | a network that reads factors (as `dynode train factors`
train flow stylegan2-scene-factors fog --factors {here}/circle.safetensors | has format 'dynode-clip-1': a network that reads factors (as
train flow stylegan2-scene-factors fog --factors {here}/half-factors.safetensors | is no safetensors file, or is cut off: a network that reads
train flow stylegan2-scene-factors fog --factors {here}/folder | is a folder: a network that reads factors (as `dynode train
train transformer stylegan2-scene-factors nope | There is no attribute of a scene 'nope'; legal are clouds
train transformer nope fog | There is no generator 'nope'; legal are dcgan-isaac3d
train transformer stylegan2-scene-factors fog -p steps=0 | steps must be above 0, got 0
train transformer stylegan2-scene-factors fog -p batch=0 | batch must be above 0, got 0
train transformer stylegan2-scene-factors fog -p classifier.hidden=x | hidden wants a list of 2 such as 256,128, got 'x'
train transformer stylegan2-scene-factors fog -p classifier.hidden=0 | hidden wants a list of 2 such as 256,128, got 0
train transformer stylegan2-scene-factors fog -p mixtures=-1 | mixtures wants a finite number of 0 or more, such as 0, got
train transformer stylegan2-scene-factors fog -p transformer.attribute=hour | transformer.attribute is set by an argument of this command
train captions nope | There is no caption vocabulary of 'nope'; legal are face
train captions bird | There is no caption vocabulary of 'bird'; legal are face
train captions face -p steps=0 | steps must be above 0, got 0
train captions face -p pictures=0 | pictures must be above 0, got 0
train captions face -p batch=0 | batch must be above 0, got 0
train captions face -p network.width=0 | width must be above 0, got 0
train captions face -p nope=1 | There is no setting 'nope'; legal are batch, decay, lr
train mapper stylegan2-scene-factors '' | No word of '' is known; known are at night, autumn, blue sky
train mapper stylegan2-scene-factors qwertz | No word of 'qwertz' is known; known are at night, autumn
train mapper nope mountain | There is no generator 'nope'; legal are dcgan-isaac3d
train mapper stylegan2-bird-factors mountain | There is no image-text network of 'bird'; legal are face
train mapper stylegan2-scene-factors mountain -p steps=0 | steps must be above 0, got 0
train mapper stylegan2-scene-factors mountain -p batch=0 | batch must be above 0, got 0
train mapper stylegan2-scene-factors mountain --image-text {here}/none.pt | CLIP's archive ViT-B-32.pt was wanted
train boundary nope | There is no generator 'nope'; legal are dcgan-isaac3d
train boundary stylegan2-bird-factors | There is no category whose pictures are scored 'bird'; legal
train boundary {here}/circle.safetensors | has format 'dynode-clip-1': a generator (as `dynode train
train boundary -p share=0 | share must be above 0, got 0.0
train boundary -p c=0 | c must be above 0, got 0.0
train boundary -p samples.count=0 | count must be above 0, got 0
train boundary -p nope=1 | There is no setting 'nope'; legal are c, samples, seed
train scores nope | There is no generator 'nope'; legal are dcgan-isaac3d
train scores mobilestylegan-ffhq -p count=0 | count must be above 0, got 0
train scores mobilestylegan-ffhq -p count=-1 | count wants a finite number of 0 or more, such as 3000, got
train scores mobilestylegan-ffhq -p truncation_psi=nan | truncation_psi wants a finite number of 0 or more, such as
train scores mobilestylegan-ffhq -p nope=1 | There is no setting 'nope'; legal are count, seed
"""
