"""Tables, figures and the page, drawn from the files of finished runs. Uses runs, worlds and what lies below."""
