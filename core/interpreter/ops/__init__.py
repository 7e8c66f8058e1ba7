"""What each TTIR operation does. A module a dialect; `registry` is where they meet."""
