"""Choose a configuration: compare candidates on rows that they were not trained on."""
