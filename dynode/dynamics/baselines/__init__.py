"""What the neural ODE is compared with: interpolation, Gaussian processes, sequence models."""
