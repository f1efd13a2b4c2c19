"""What a run leaves behind: figures, tables, records and executed notebooks."""
