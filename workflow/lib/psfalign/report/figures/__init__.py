"""The figures of an exposure."""
