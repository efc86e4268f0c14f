"""How much a client may make the HTTP/1 reader keep or chew on."""

from dataclasses import dataclass

# A chunk's size line: 16 hex digits and room for an extension that means something. RFC 9112, 7.1.1 asks for a limit.
MAX_CHUNK_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits on one request, all in bytes unless they say otherwise."""

    # Request line and fields, with the empty line that ends them: 431 beyond.
    max_head_bytes: int = 64 * 1024
    # Field lines of a head, and of a trailer section: 431 beyond.
    max_fields: int = 100
    # The request target as it was sent: 414 beyond (RFC 9112, 3 asks for at least 8000).
    max_target_bytes: int = 16 * 1024
    # Trailer section: 431 beyond. Checksums and a status go there, not documents.
    max_trailer_bytes: int = 8 * 1024
    # Chunk extensions of one body, all together: 413 beyond. They are ignored, so they are only work for us.
    max_chunk_extension_bytes: int = 16 * 1024
    # Body, after chunks are taken apart: 413 beyond.
    max_body_bytes: int | None = None
