"""What proves results years later: the RO-Crate, and `verify`."""
