"""DynODE: the dynamics of a video in the latent space of a GAN, as a neural ODE.

    import dynode

    clip = dynode.load_clip("single_face.1")                  # a shipped clip: codes (T, L, D) at times (T,), seconds
    clip = dynode.invert("talk.mp4", "talk.safetensors")      # or of your own video; slow, resumes when it is stopped
    observed = clip.sampled("irregular", stride=4)            # the frames that a method may see
    path = dynode.fit(observed)                               # the neural ODE; or "linear", "gru", settings
    codes = path([0.0, 0.41, 0.5])                            # (3, L, D), at any times
    print(dynode.evaluate(path, clip))                        # errors at observed and unobserved frames
    dynode.render(path, "talk-60fps.mp4", fps=60)             # decoded by the clip's generator
    dynode.edit(clip, {"smile": 2.0}, "smile.mp4")            # the edit of one frame, propagated along the path
    path.save("talk.fit"); path = dynode.load_fit("talk.fit")

Codes of other projectors: `dynode.generators.clip_of_codes`, or `dynode.Clip(codes, times, meta={"generator": ...})`.
METHODS and PRESETS are what `fit` takes by name; a mistake raises UserError, one sentence that says what was wanted.
Names are loaded when they are first used; `__init__.pyi` lists them. Rooms such as `dynode.metrics` are in CONTRIBUTING.md.
"""

import sys

__version__ = "0.1.0"

if sys.version_info >= (3, 11):
    from dynode.lazy import face

    __getattr__, __dir__, __all__ = face(__name__, __file__)
elif sys.argv[:1] != (
    ["-m"] if sys.version_info >= (3,) else ["-c"]
):  # not `python -m dynode`, where `__main__` goes on
    raise ImportError("dynode needs Python 3.11 or newer, this is %s." % sys.version.split()[0])
