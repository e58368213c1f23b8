"""Serve exported Ludwig models: light enough for AWS Lambda, exact enough to answer as Ludwig does."""

__version__ = "0.1.0"
