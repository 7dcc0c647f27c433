"""Where clip tables come from: folders, tables, named datasets, and sounds made from a seed."""
