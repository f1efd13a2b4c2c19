"""Learned dynamics: state spaces, fields, the door to the ODE solvers, presets, and the neural ODE that joins them."""
