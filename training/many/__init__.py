"""Train many models from one manifest, on this machine or on a Ray cluster."""
