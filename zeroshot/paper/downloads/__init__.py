"""Every download of `world=paper`, fetched, checked and unpacked: uses storage and errors, no other room."""
