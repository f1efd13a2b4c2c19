"""Solving dw/dt = f(t, w), and least-squares steps."""
