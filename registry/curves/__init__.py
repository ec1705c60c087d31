"""/api/v1: the catalogue of wells and curves, depth windows, and files for readers that know no registry."""
