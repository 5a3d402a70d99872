"""Long work: jobs, their leases and uploads."""
