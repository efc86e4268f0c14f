"""A server of the `mcp` SDK's over streamable HTTP: JSON-RPC in requests, answers in streams of events."""

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("calculator")


@server.tool()
async def add(a: int, b: int, context: Context) -> int:
    """Add, and say so on the way."""
    await context.report_progress(1, 2, f"adding {a} and {b}")
    return a + b


app = server.streamable_http_app()
