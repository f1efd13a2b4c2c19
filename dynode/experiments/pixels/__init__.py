"""Notebook 11: pixel models, which use no GAN: a latent ODE between a convolutional encoder and decoder of frames.

own     trained on the observed frames of the clip itself
taught  trained on other episodes of the same world; of the clip its input is the observed frames

After Kanaa et al. (2019) and Vid-ODE (Park et al. 2021).
"""
