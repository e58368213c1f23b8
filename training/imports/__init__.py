"""Convert training data of any format to one dataset, and report every changed row."""
