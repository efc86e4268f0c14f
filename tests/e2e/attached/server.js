// A server that knows nothing of zerogate: the one that is attached in the tests. It listens on PORT.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

const NAME = process.env.NAME || "node";
const PIECE = Buffer.alloc(64 * 1024, "x");

const routes = {
  pid: (request, response) => response.end(`${process.pid}`),
  head: (request, response) =>
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.rawHeaders })),
  upload: (request, response) => request.pipe(response),
  // As tests.e2e.chaos_app has it.
  echo: (request, response, [token]) => {
    const hash = crypto.createHash("sha256");
    request.on("data", (piece) => hash.update(piece));
    request.on("end", () => {
      if (process.env.LOG) fs.appendFileSync(process.env.LOG, `${token}\n`);
      response.end(`${token} ${hash.digest("hex")} ${NAME}`);
    });
  },
  // So many pieces, each when the one before has been taken.
  download: (request, response, [count]) => {
    let left = Number(count);
    const send = () => {
      while (left > 0) {
        left -= 1;
        if (!response.write(PIECE)) return response.once("drain", send);
      }
      response.end();
    };
    send();
  },
  trailers: (request, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("body");
    response.addTrailers({ "x-sum": "1" });
    response.end();
  },
  hints: (request, response) => response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end("ok")),
  nothing: (request, response) => response.writeHead(204).end(),
  // Says something, and then no more until it is told to.
  slow: (request, response) => {
    response.write("first\n");
    waiting.push(response);
  },
  go: (request, response) => {
    waiting.splice(0).forEach((other) => other.end("last\n"));
    response.end("gone on");
  },
  reset: (request, response) => request.socket.resetAndDestroy(),
  cut: (request, response) => response.write("some", () => request.socket.destroy()),
  exit: () => process.exit(3),
  left: (request, response) => response.end(`${nLeft}`),
  hanging: (request, response) => response.end(`${nHanging}`),
  hang: (request, response) => {
    nHanging += 1;
    request.on("close", () => (nLeft += 1));
  },
};

const waiting = [];
let nHanging = 0;
let nLeft = 0;
let isWell = true;

const server = http.createServer((request, response) => {
  const [name, ...rest] = request.url.split("?")[0].slice(1).split("/");
  if (name === "up") return response.writeHead(isWell ? 200 : 503).end();
  if (name === "well" || name === "ill") {
    isWell = name === "well";
    return response.end(name);
  }
  const route = routes[name];
  if (!route) return response.writeHead(404).end("not here\n");
  return route(request, response, rest);
});

// 100 Continue: only who is let may send its body.
server.on("checkContinue", (request, response) => {
  if (request.url === "/unwanted") return response.writeHead(413).end("too much\n");
  response.writeContinue();
  return server.emit("request", request, response);
});

process.on("SIGTERM", () => {
  console.log("told to stop");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log(`${NAME} listens`));
