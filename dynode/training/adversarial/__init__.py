"""GANs that learn a world from its pictures alone: the pictures, their augmentation, the discriminator, the training."""
