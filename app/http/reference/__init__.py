"""The reference page and the guides: everything below `/docs`."""
