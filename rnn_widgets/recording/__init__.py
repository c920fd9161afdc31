"""A recurrent layer's record: what its gradient does at every timestep, and the figures of it."""
