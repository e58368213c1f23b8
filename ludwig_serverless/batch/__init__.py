"""Answer tables of any size with bundles, on this machine or on a Ray or Spark cluster."""
