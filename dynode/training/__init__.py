"""Training of generators on worlds: pictures, distillation, the adversarial game, quality."""
