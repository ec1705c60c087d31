"""/api/v2.0: Harbor's management API, so that its clients work unchanged."""
