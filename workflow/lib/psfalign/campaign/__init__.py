"""
What surrounds the engine: configuration, associations, checks, resources.

It imports all but `report` and `archive`.
"""
