"""An assistant's client: which tools there are, and the audit of a statement."""
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        audited = await session.call_tool("audit_statement", {"sql": "SELECT title FROM posts WHERE title = 'a title'", "format": "json"})
        refused = await session.call_tool("audit_statement", {"sql": "SELECT nothing FROM nowhere"})
        answers = [{"error": bool(answer.model_dump(by_alias=True)["isError"]), "text": answer.content[0].text} for answer in (audited, refused)]
        print(json.dumps({"tools": tools, "answers": answers}))

asyncio.run(main())
