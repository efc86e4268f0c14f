"""Who speaks HTTP to the router: one module for each version of HTTP, behind one pair of faces (../faces.py)."""
