"""The tiny recipe with several seeds, in the form of the paper's Table 10."""
