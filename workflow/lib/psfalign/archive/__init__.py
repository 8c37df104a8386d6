"""Proof for later years: the RO-Crate, and `verify`."""
