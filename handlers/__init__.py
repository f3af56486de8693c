"""One module per tag of the document, one function per operation."""
