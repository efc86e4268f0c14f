"""TLS: certificates, and the layer between a connection's octets and its client. What TLS is, Python's `ssl` knows."""
