"""What lies between observations: how sure a path is there, how far from the truth, and how it looks."""
