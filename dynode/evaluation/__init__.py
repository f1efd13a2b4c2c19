"""Judging: trajectories, fits, edited videos, editors, generators; records of every number; diagnosis and model selection."""
