import { readFile, writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../config/auth.config.js';
import { Forge } from '../vectors/forge.js';
import { type RunningIssuer, serveIssuer } from '../vectors/issuer.server.js';
import { makeDocument } from '../vectors/make.document.js';
import { ISSUER_PATHS, type VectorDocument, vectorDocumentSchema } from '../vectors/vector.document.js';
import { findTargetProblem, runVectors } from '../vectors/vector.runner.js';
import { CommandProblem, jsonOption, type Output, print, table } from './command.js';
import { describeRun } from './vectors.report.js';

interface MakeOptions extends Output {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithm: SigningAlgorithm;
  readonly out?: string;
  readonly jwks?: string;
}

interface FileOptions extends Output {
  readonly file: string;
}

interface RunOptions extends FileOptions {
  readonly header?: string;
}

/** `traffy vectors`: tests whether a service that verifies our tokens refuses all invalid ones. Needs no settings. */
export function addVectorsCommand(program: Command): void {
  const vectors = program
    .command('vectors')
    .description('create valid and invalid tokens of a test issuer, each with its expected verdict')
    .option('--out <file>', 'write the tokens to this file; without it they are only listed')
    .option('--jwks <file>', 'write the key set to this file, for services that read a file')
    .option('--issuer <origin>', 'the test issuer', parseOrigin, 'http://localhost:9000')
    .option('--audience <text>', 'what the service under test expects in "aud"', 'http://localhost:8000')
    .addOption(
      new Option('--algorithm <name>', 'the signing algorithm of the valid tokens')
        .choices(SIGNING_ALGORITHMS)
        .default('ES256'),
    )
    .addOption(jsonOption())
    .action(make);
  vectors
    .command('serve')
    .description('serve the key set of the test issuer and an empty revocation feed, until Ctrl+C')
    .addOption(fileOption())
    .action(serve);
  vectors
    .command('run')
    .description('send the tokens to a protected URL and show its wrong verdicts')
    .argument('<url>', 'an http or https URL that needs an access token', parseUrl)
    .addOption(fileOption())
    .option(
      '--header <name>',
      'send the bare token in this header instead of Authorization: Bearer',
      parseHeader,
    )
    .addOption(jsonOption())
    .action(run);
}

function fileOption(): Option {
  return new Option('--file <file>', 'the file written by traffy vectors --out').default('vectors.json');
}

async function make({ issuer, audience, algorithm, out, jwks, ...output }: MakeOptions): Promise<void> {
  const document = await makeDocument(new Forge(issuer, audience, algorithm));
  if (jwks !== undefined) await write(jwks, document.jwks);
  if (out !== undefined) await write(out, document);
  const { vectors, created_at, good_until } = document;
  const notCounted = vectors.filter(({ expected }) => expected === 'may').length;
  if (out === undefined) {
    const rows = vectors.map(({ id, expected, description }) => [expected, id, description]);
    print(output, document, table(['EXPECTED', 'TOKEN', 'WHAT IT IS'], rows));
    return;
  }
  print(
    output,
    {
      out,
      issuer,
      audience,
      algorithm,
      created_at,
      good_until,
      tokens: vectors.length,
      not_counted: notCounted,
    },
    `${vectors.length} tokens of ${issuer} for ${audience} are in ${out}, valid until ${good_until}. ` +
      `${notCounted} of them do not count (verdict may).`,
  );
}

async function serve({ file }: FileOptions): Promise<void> {
  const document = await readDocument(file);
  const { issuer } = document;
  const running = await startIssuer(document, (path) =>
    process.stderr.write(
      `traffy: a client fetched ${path}, which only forged tokens name (RFC 8725 §3.10)\n`,
    ),
  );
  if (!running) throw new CommandProblem(`${issuer} is not a free http origin of this machine`);
  process.stdout.write(`Serving ${issuer}${ISSUER_PATHS.jwks} until Ctrl+C.\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  await running.close();
}

async function run(url: URL, { file, header, ...output }: RunOptions): Promise<void> {
  const document = await readDocument(file);
  const issuer = await startIssuer(document);
  try {
    const target = { url, header: header ?? null };
    const problem = await findTargetProblem(target);
    if (problem !== null) throw new CommandProblem(problem);
    const { sent, wrong, not_counted } = await runVectors(document, target);
    const fetched = [...new Set(issuer?.fetchedFromTokens)];
    const report = { url: url.href, sent, wrong, fetched_from_tokens: fetched, not_counted };
    print(output, report, describeRun(document, report));
    if (wrong.length > 0) throw new CommandProblem(`${url.href} got ${wrong.length} of ${sent} tokens wrong`);
    if (fetched.length > 0) throw new CommandProblem(`${url.href} follows URLs from tokens`);
  } finally {
    await issuer?.close();
  }
}

/** @returns null if the keys are already served by another process. */
async function startIssuer(
  document: VectorDocument,
  onFetchFromToken?: (path: string) => void,
): Promise<RunningIssuer | null> {
  const result = await serveIssuer(document, onFetchFromToken);
  if (result.state === 'serving') return result.issuer;
  if (result.state === 'served elsewhere') return null;
  throw new CommandProblem(
    `another server answers at ${document.issuer}, without the keys of these tokens: stop it, or create tokens with another --issuer`,
  );
}

async function readDocument(file: string): Promise<VectorDocument> {
  const again = 'create tokens with traffy vectors --out';
  const text = await readFile(file, 'utf8').catch(({ code }: NodeJS.ErrnoException) => {
    throw new CommandProblem(`${file} cannot be read (${code}): ${again} ${file}`);
  });
  const parsed = vectorDocumentSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new CommandProblem(`${file} does not contain tokens of this version: ${again} ${file}`);
  if (Date.parse(parsed.data.good_until) < Date.now()) {
    throw new CommandProblem(`the tokens in ${file} expired at ${parsed.data.good_until}: ${again} ${file}`);
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function write(file: string, data: object): Promise<void> {
  await writeFile(file, `${JSON.stringify(data, null, 2)}\n`).catch(({ code }: NodeJS.ErrnoException) => {
    throw new CommandProblem(`${file} cannot be written (${code})`);
  });
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new InvalidArgumentError('It must be an http or https URL.');
}

function parseOrigin(text: string): string {
  if (parseUrl(text).origin === text) return text;
  throw new InvalidArgumentError('It must be an origin: scheme, host and port, without a path or a slash.');
}

/** RFC 9110 §5.6.2. */
function parseHeader(text: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the name of a header field.');
}
