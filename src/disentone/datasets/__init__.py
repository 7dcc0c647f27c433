"""Where clip tables come from: folders, tables, known datasets, and sounds made from a seed."""
