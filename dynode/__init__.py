"""DynODE: the dynamics of a video in the latent space of a GAN, as a neural ODE."""

__version__ = "0.1.0"
