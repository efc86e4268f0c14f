"""Keys: who may be a worker here, and of what. Where they lie, what the list says, and what a grant covers."""
