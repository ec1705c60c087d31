"""What differs between two versions of a curve or a well."""
