"""Search for better hyperparameters: try values of a configuration's parameters, and score them on held-out rows."""
