"""What the sanity check of a generator measures: its images, its labels, its search, beside a floor and a ceiling."""
