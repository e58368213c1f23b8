"""Review captured messages and suspicious rows in a local page, and write what was decided as a dataset."""
