"""Taking over what another registry left: its storage tree, or an OCI image layout."""
