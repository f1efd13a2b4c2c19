"""A neural ODE whose field is learned across clips of a category; an encoder of the observed codes tells it which clip this is."""
