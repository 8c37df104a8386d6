"""The steps of the workflow, one module for each rule, independent of campaigns."""
