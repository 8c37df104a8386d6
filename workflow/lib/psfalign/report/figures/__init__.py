"""Draw the figures of exposures and associations."""
