"""What HTTP means (RFC 9110), whatever version carries it: heads, fields, trailers, interim replies, errors, routes."""
