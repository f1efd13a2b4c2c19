"""Fitting the neural ODE: losses, the training loop, batched fits, checkpoints, fits kept on disk."""
