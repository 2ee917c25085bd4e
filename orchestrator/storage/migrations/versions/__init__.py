"""One module for each change of shape, in order. Never change one that was released: append the next."""
