"""Describe results for archives (RO-Crate), and verify them years later."""
