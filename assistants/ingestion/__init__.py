"""Files of vector stores: added, read, cut into chunks, removed."""
