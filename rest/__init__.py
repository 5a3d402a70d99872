"""What the endpoints of all apps share: errors of parameters and the OpenAPI schema."""
