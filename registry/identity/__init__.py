"""People of an OIDC provider: how they sign in, and whether they still stand. HTTP to the provider is here alone."""
