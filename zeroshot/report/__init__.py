"""Tables and figures, drawn from the files of finished runs."""
