"""The kit that the endpoints of all apps share: base view, problem details, metrics of requests, OpenAPI documentation."""
