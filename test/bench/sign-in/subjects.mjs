import { join } from 'node:path';
import { createDatabase } from '../harness/database.mjs';
import {
  askSteadily,
  expectJson,
  latencies,
  onKeptConnections,
  onNewConnection,
  percentiles,
} from '../harness/load.mjs';
import { progress } from '../harness/report.mjs';
import { startServer } from '../harness/server.mjs';
import { ACCOUNT, TARGETS } from '../harness/targets.mjs';
import { FORWARDED, traffyInProduction } from '../harness/traffy.mjs';
import { signUpPeople } from './users.mjs';

/** Questions a second of each kind, so few that they take nothing from the sign-ins. */
const PER_SECOND = { kept: 25, new: 5 };

/**
 * A running service with people who can sign in, and one who is signed in.
 *
 * @param people how many there are, and how long their passwords are in bytes.
 * @param settings environment variables that differ from production's.
 */
export async function openService(name, server, people, settings, { defer, folder }) {
  const database = await createDatabase(server);
  defer(() => database.drop());
  const running = await startServer(name, traffyInProduction(database.url, settings), folder);
  defer(() => running.stop());
  const session = TARGETS['traffy-session'];
  await session.signUp(running.origin);
  const me = await session.signIn(running.origin);
  const signIns = await signUpPeople(running.origin, people);
  progress(`started ${name}`);
  const kept = (request, check) => {
    const { ask, close } = onKeptConnections(running.origin, request, check);
    defer(close);
    return question(ask);
  };
  const live = { path: '/health/live', headers: FORWARDED };
  const isLive = expectJson(`${name} /health/live`, ({ status }) => status === 'ok');
  const isMe = expectJson(`${name} /me`, (body) => session.emailOf(body) === ACCOUNT.email);
  return {
    name,
    running,
    signIns,
    questions: {
      me: kept(me, isMe),
      live: kept(live, isLive),
      live_new_connection: question(() => onNewConnection(running.origin, live, isLive), PER_SECOND.new),
    },
  };
}

/** argon2 alone, and a server that has nothing to do with it: it shows what the machine leaves to anybody else. */
export async function openReference(cores, { defer, folder }) {
  const program = join(import.meta.dirname, '..', 'yardsticks', 'argon2.mjs');
  const env = { UV_THREADPOOL_SIZE: String(Math.max(4, cores)) };
  const argon2 = await startServer('argon2', { args: [program], ready: '/', env }, folder);
  defer(() => argon2.stop());
  const running = await startServer('bare', TARGETS['bare'].program(), folder);
  defer(() => running.stop());
  const isGood = expectJson('bare', (body) => body['logged_in'] === true);
  const request = { path: '/me', headers: FORWARDED };
  const { ask, close } = onKeptConnections(running.origin, request, isGood);
  defer(close);
  return { name: 'argon2', argon2, running, questions: { anything: question(ask) } };
}

/** Requests during the sign-ins, and their latency with and without sign-ins. */
function question(ask, perSecond = PER_SECOND.kept) {
  return { ask, perSecond, idle: latencies(), busy: latencies() };
}

/**
 * Asks all questions at a steady rate until some work is done.
 *
 * @param when whether this is the `idle` or the `busy` state: whose latencies they are.
 */
export async function whileAsked({ questions }, when, work) {
  const stops = Object.values(questions).map((one) => askSteadily(one.ask, one.perSecond, one[when]));
  try {
    return await work();
  } finally {
    await Promise.all(stops.map((stop) => stop()));
  }
}

/** The latencies of all questions, in milliseconds. */
export const seen = ({ questions }) =>
  Object.fromEntries(
    Object.entries(questions).map(([name, { idle, busy }]) => [
      name,
      { idle_ms: percentiles(idle), busy_ms: percentiles(busy) },
    ]),
  );
