"""A run's folder, finished or resumable, and one sentence's search. Uses worlds and what lies below."""
