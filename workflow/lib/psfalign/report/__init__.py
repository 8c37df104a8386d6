"""What people look at: figures, tables, pages. It imports all but `archive`."""
