"""
Plan a campaign and run Snakemake: configuration, associations, checks, resources.

The package may import all others except `report`, `archive` and `cli`.
"""
