"""How good the shipped configurations are, by the number of rows, beside a linear SVM and a CRF."""
