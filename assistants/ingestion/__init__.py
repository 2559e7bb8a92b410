"""Files on their way into vector stores: put in, cut into chunks, taken out."""
