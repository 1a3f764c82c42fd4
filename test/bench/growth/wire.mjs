import { createServer, connect } from 'node:net';
import { once } from 'node:events';

/**
 * A proxy between the service and PostgreSQL that records the text and the bound values of each statement, so that
 * the actual statements of the product are explained, not copies.
 *
 * @param databaseUrl the server to forward to.
 */
export async function listenIn(databaseUrl) {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set();
  let heard = [];
  const server = createServer((client) => {
    const target = connect(Number(port || 5432), hostname);
    const read = reader((statement) => heard.push(statement));
    client.on('data', (chunk) => {
      read(chunk);
      target.write(chunk);
    });
    target.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, target],
      [target, client],
    ]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    databaseUrl: Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${server.address().port}` }).href,
    /** What was asked since the last time. */
    take() {
      const taken = heard;
      heard = [];
      return taken;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Reads the messages of a client: https://www.postgresql.org/docs/current/protocol-message-formats.html. */
function reader(hear) {
  let rest = Buffer.alloc(0);
  // The first message has no type.
  let isStarted = false;
  const texts = new Map();
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const header = isStarted ? 5 : 4;
      if (rest.length < header) return;
      const length = rest.readInt32BE(header - 4) + (isStarted ? 1 : 0);
      if (rest.length < length) return;
      const body = rest.subarray(header, length);
      const type = isStarted ? String.fromCharCode(rest[0]) : 'startup';
      rest = rest.subarray(length);
      isStarted = true;
      if (type === 'Q') hear({ text: readText(body, 0).text, values: [] });
      if (type === 'P') {
        const name = readText(body, 0);
        texts.set(name.text, readText(body, name.end).text);
      }
      if (type === 'B') {
        const portal = readText(body, 0);
        const name = readText(body, portal.end);
        hear({ text: texts.get(name.text) ?? '', values: readValues(body, name.end) });
      }
    }
  };
}

function readText(body, start) {
  const end = body.indexOf(0, start);
  return { text: body.toString('utf8', start, end), end: end + 1 };
}

/** The values of a Bind message: text as it is, bytes as bytes. */
function readValues(body, start) {
  const formats = [];
  let at = start + 2;
  for (let index = 0; index < body.readInt16BE(start); index += 1, at += 2)
    formats.push(body.readInt16BE(at));
  const count = body.readInt16BE(at);
  at += 2;
  const values = [];
  for (let index = 0; index < count; index += 1) {
    const length = body.readInt32BE(at);
    at += 4;
    const isBytes = (formats.length === 1 ? formats[0] : formats[index]) === 1;
    const value = length < 0 ? null : Buffer.from(body.subarray(at, at + length));
    values.push(value === null || isBytes ? value : value.toString('utf8'));
    if (length > 0) at += length;
  }
  return values;
}
