const AUTHENTICATION = 'authentication (cookies, Passport, remembered verdict)';
const RATE_LIMIT = 'rate limit';
const LOG = 'log line (pino)';

/**
 * The layers and the functions that open them: a name and a part of the file's path. Calls from there belong to the
 * layer until they enter another one. The time of a function that no longer exists counts for its caller.
 */
const LAYERS = {
  'writing to the socket (system call, wake-up of the client)': [
    ['writeGeneric', 'node:internal/stream_base_commons'],
  ],
  'reading and parsing the request (node:http)': [
    ['onStreamRead', 'node:internal/stream_base_commons'],
    ['parserOnHeadersComplete', 'node:_http_common'],
    ['parserOnIncoming', 'node:_http_server'],
  ],
  'header fields and the end of the reply (node:http)': [
    ['writeHead', 'node:_http_server'],
    ['end', 'node:_http_outgoing'],
    ['resOnFinish', 'node:_http_server'],
  ],
  'security headers and request id': [
    ['headers', 'fastify/lib/reply.js'],
    ['genReqId', 'src/platform/fastify/http.adapter'],
  ],
  [RATE_LIMIT]: [
    ['countRequest', 'src/platform/throttle/rate-limiter'],
    ['canActivate', 'src/platform/throttle/rate-limit.guard'],
  ],
  'checks of the request (body type, Accept, cross-site)': [
    ['requestProblem', 'src/platform/fastify/http.adapter'],
    ['canActivate', 'src/platform/http/cross-site.guard'],
  ],
  [AUTHENTICATION]: [['canActivate', 'src/auth/credentials/auth.guard']],
  [LOG]: [['LOG', 'pino/lib/tools']],
};
const NODE = 'the rest of Node.js';
/** Whose code goes on by itself after it waited. */
const BY_FILE = [
  ['node_modules/@nestjs/', 'Nest'],
  ['node_modules/fastify/', 'Fastify'],
  ['node_modules/find-my-way/', 'Fastify'],
  ['node_modules/pino/', LOG],
  ['node_modules/sonic-boom/', LOG],
  ['node_modules/rate-limiter-flexible/', RATE_LIMIT],
  ['node_modules/passport', AUTHENTICATION],
  ['dist/src/platform/throttle/', RATE_LIMIT],
  ['dist/src/auth/', AUTHENTICATION],
];
const GARBAGE = 'garbage collection (main thread)';

/** The samples of each layer in a V8 CPU profile, the largest first; without those in which nothing, or the profiler, ran. */
export function layersOf({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const known = new Map();
  const layerOf = (id) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const { callFrame } = byId.get(id);
    const parent = parents.get(id);
    const layer = opened(callFrame) ?? inherited(callFrame, parent === undefined ? null : layerOf(parent));
    known.set(id, layer);
    return layer;
  };
  const sums = new Map();
  samples.forEach((id, index) => {
    const { functionName, url } = byId.get(id).callFrame;
    if (functionName === '(idle)' || url.startsWith('node:inspector')) return;
    const name = functionName === '(garbage collector)' ? GARBAGE : layerOf(id);
    sums.set(name, (sums.get(name) ?? 0) + timeDeltas[index]);
  });
  return [...sums].map(([name, time]) => ({ name, samples: time })).toSorted((a, b) => b.samples - a.samples);
}

function opened({ functionName, url }) {
  const name = functionName.split('.').at(-1);
  for (const [layer, openers] of Object.entries(LAYERS))
    if (openers.some(([opener, file]) => opener === name && url.includes(file))) return layer;
  return null;
}

/** A frame within a layer belongs to it; one that Node.js or a framework calls by itself, to that. */
function inherited({ url }, layer) {
  if (layer !== null && layer in LAYERS && !isBackInFramework(url, layer)) return layer;
  const byFile = BY_FILE.find(([folder]) => url.includes(folder));
  if (byFile) return byFile[1];
  return layer ?? NODE;
}

/** What parses a request also begins to handle it, and what ends a reply tells the framework. */
function isBackInFramework(url, layer) {
  return layer.includes('node:http') && /node_modules\/(?:@nestjs|fastify|find-my-way)\//.test(url);
}
