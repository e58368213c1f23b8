"""Measure the accuracy of the built-in configurations by the number of rows, compared with a linear SVM and a CRF."""
