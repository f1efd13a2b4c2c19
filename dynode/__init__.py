"""DynODE: the dynamics of a video in the latent space of a GAN, as a neural ODE.

    clip = dynode.load_clip("single_face.warm")                    # or dynode.invert("talk.mp4", "talk.safetensors")
    path = dynode.fit(clip.sampled("irregular", stride=4))         # the neural ODE; or "linear", "gru", settings
    print(dynode.evaluate(path, clip))
    dynode.render(path, "talk-60fps.mp4", fps=60)
    dynode.edit(clip, {"smile": 2.0}, "smile.mp4")

Names are loaded when they are first used; `__init__.pyi` lists them.
"""

from dynode.lazy import face

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = face(__name__, __file__)
