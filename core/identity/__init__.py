"""What a token of another issuer says, and whether it is to be believed: no HTTP, no SQL."""
