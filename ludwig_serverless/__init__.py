"""One command line for handler, export and training, and the bill of a month on AWS."""
