"""Check results against their checksums, their inputs and the configuration."""
