// A list and its authors in one request, traced: the spans go as OTLP JSON to a collector that writes them to SPANS, a line each.
const fs = require("fs");
const http = require("http");
const { trace } = require("@opentelemetry/api");
const { NodeTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { PgInstrumentation } = require("@opentelemetry/instrumentation-pg");

const collector = http.createServer((request, response) => {
  const body = [];
  request.on("data", (chunk) => body.push(chunk));
  request.on("end", () => {
    fs.appendFileSync(process.env.SPANS, Buffer.concat(body).toString() + "\n");
    response.setHeader("content-type", "application/json").end("{}");
  });
});

collector.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${collector.address().port}/v1/traces`;
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url }))] });
  provider.register();
  registerInstrumentations({ instrumentations: [new PgInstrumentation()] });
  const { Client } = require("pg");
  const db = new Client({ connectionString: process.env.DATABASE_URL });
  await db.connect();
  await trace.getTracer("shop").startActiveSpan("GET /posts", async (request) => {
    const { rows } = await db.query("SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1", [15]);
    const authors = rows.map((row) => row.author_id);
    if (process.argv[2] === "loop") {
      for (const author of authors) await db.query("SELECT name FROM authors WHERE id = $1", [author]);
    } else {
      await db.query("SELECT id, name FROM authors WHERE id = ANY ($1)", [authors]);
    }
    request.end();
  });
  await db.end();
  await provider.forceFlush();
  await provider.shutdown();
  collector.close();
});
