"""Turn a model that Ludwig trained into a bundle that the handler serves, and prove that both answer alike."""
