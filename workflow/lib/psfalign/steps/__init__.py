"""The steps of the workflow, one module for each rule. They know no campaign."""
