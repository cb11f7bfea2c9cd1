"""The report of a generator's sanity check: its verdicts, its tables, its picture."""
