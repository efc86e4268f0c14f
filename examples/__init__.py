"""Applications to try, and a worker that needs none of zerogate: see the first lines of each."""
