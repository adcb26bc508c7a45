"""One cluster."""
