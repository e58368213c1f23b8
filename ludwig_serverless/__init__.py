"""The command line for handler, export and training, and the calculation of monthly costs on AWS."""
