"""Train language models with Ludwig, as Ludwig does it, and write down what was done."""
