"""Whether a job can be done here, found out without changing anything."""
