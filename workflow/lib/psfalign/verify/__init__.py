"""Check, at any later time, that results are what their records say."""
