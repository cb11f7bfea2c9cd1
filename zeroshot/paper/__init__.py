"""What only the real world needs: downloads, and a rehearsal at true size. Uses worlds."""
