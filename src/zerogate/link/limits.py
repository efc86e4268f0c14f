"""How much a link writes at once, and how much it lets pile up."""

# Above this much unsent output DATA is held back, so that streams share a slow link in turn. And no more of it is
# framed in one turn of the event loop: the windows of all streams together are far more. Four frames: with two, as many
# turns again are needed for a body.
HIGH_WATER_BYTES = 512 * 1024

# DATA stops at the high-water mark; only replies to a flood of control frames can go so far beyond it.
MAX_BACKLOG_BYTES = 16 * 1024 * 1024

# So many requests, replies or trailers are written without waiting for the end of the turn: each may have a block of
# 64 KiB, and a message must not have more than the peer takes. With one write for all of a turn the two ends take
# turns, too, and each waits for the other; with more writes each costs more. Measured with wrk and 64 clients on two
# cores: 59,000 requests per second with 32, 56,000 with 16, 53,000 without a limit.
MAX_BATCH = 32
# As many pieces of output are written at once, whatever they are.
MAX_PIECES = 4096

# libzmq counts a PING's time to live in 16 bits of milliseconds.
MAX_PING_TTL_S = 65.0
