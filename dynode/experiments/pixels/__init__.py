"""Rivals that never see a GAN: a latent ODE between a convolutional encoder and decoder, on the frames themselves.

own     learns from the observed frames of the very clip
taught  learns from other episodes of the same world, and sees of the clip only the observed frames

In the manner of Kanaa et al. (2019) and Vid-ODE (Park et al. 2021).
"""
