"""Log files and tables of others as frames of curves: exact values, or a refusal that names the place."""
