/** The limit of the runtime: node:http alone, with an answer like that of `GET /me`. */
import { createServer } from 'node:http';

const server = createServer((_request, response) => {
  const body = JSON.stringify({ logged_in: true, email: process.env['BENCH_EMAIL'] });
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.end(body);
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
