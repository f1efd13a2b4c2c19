"""RIGID's recurrent encoder: windows of footage, the losses, the training."""
