import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Forge } from '../../src/vectors/forge.js';
import { type RunningIssuer } from '../../src/vectors/issuer.server.js';
import { makeDocument } from '../../src/vectors/make.document.js';
import { type VectorDocument } from '../../src/vectors/vector.document.js';
import { runVectors } from '../../src/vectors/vector.runner.js';
import { createVerifier } from '../../src/verify/verify.entry.js';
import { onServer } from '../support/database.js';
import { decodeToken } from '../support/jwt.js';
import { RECIPES, type RunningRecipe, startRecipe } from '../support/recipes.js';
import { AUDIENCE, endServices, newForge, serveKeys, traffyProcess } from '../support/vectors.js';

endServices();

// What follows needs no database: once is enough.
const once = onServer ? describe.skip : describe;

once('the recipes of docs/verifying-tokens.md', () => {
  /** Milliseconds until the recipes read the keys again for an id that they do not know. */
  const COOL_DOWN = 5500;
  const followers = RECIPES.filter(({ followsRotation }) => followsRotation).map(({ file }) => file);
  const running = new Map<string, RunningRecipe>();
  let withoutKeys: Readonly<Record<string, number>>;
  let issuer: RunningIssuer;
  let forge: Forge;
  let document: VectorDocument;
  beforeAll(async () => {
    // What is built for the command line is what node-traffy.mjs imports.
    await traffyProcess('--json');
    forge = await newForge();
    document = await makeDocument(forge);
    const start = (list: typeof RECIPES) =>
      Promise.all(list.map(async (recipe) => running.set(recipe.file, await startRecipe(recipe, forge))));
    await start(RECIPES.filter(({ followsRotation }) => followsRotation));
    withoutKeys = await askAll(forge.token(), followers);
    issuer = await serveKeys(document);
    await start(RECIPES.filter(({ followsRotation }) => !followsRotation));
    await pause(COOL_DOWN);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([...running.values()].map((recipe) => recipe.stop()));
    await issuer.close();
  });

  function recipeOf(file: string): RunningRecipe {
    const recipe = running.get(file);
    if (!recipe) throw new Error(`${file} does not run`);
    return recipe;
  }

  /** The status that a recipe answers a token with, and what it says. */
  async function ask(file: string, token: string) {
    const reply = await fetch(recipeOf(file).url, {
      headers: { authorization: `bearer ${token}`, connection: 'close' },
    });
    return { status: reply.status, text: await reply.text() };
  }

  /** What every recipe answers to a token. */
  async function askAll(token: string, files = RECIPES.map(({ file }) => file)) {
    return Object.fromEntries(
      await Promise.all(files.map(async (file) => [file, (await ask(file, token)).status] as const)),
    );
  }

  function same(status: number, files = RECIPES.map(({ file }) => file)) {
    return Object.fromEntries(files.map((file) => [file, status]));
  }

  it('services answer 503 if the keys are unavailable', () => {
    expect(withoutKeys).toEqual(same(503, followers));
  });

  it.each(RECIPES.map(({ file }) => file))(
    '%s gets no token wrong [J1, J2, J3, J4, J5, J6, J7, J8, J9, J10, J11, J12, J13, incident 7, incident 8, incident 9, incident 10, incident 11, incident 32, pain 12]',
    async (file) => {
      const { url, stderr } = recipeOf(file);
      const { sent, wrong } = await runVectors(document, { url, header: null });
      expect({ wrong, stderr: stderr() }).toEqual({ wrong: [], stderr: '' });
      expect(sent).toBe(77);
    },
  );

  it('no recipe fetched a URL of a token [J4]', () => {
    expect(issuer.fetchedFromTokens).toEqual([]);
  });

  it('recipes identify the user, and challenge requests without a token', async () => {
    const token = forge.token();
    const { sub } = decodeToken(token).claims;
    for (const { file } of RECIPES) {
      expect({ file, ...(await ask(file, token)) }).toEqual({ file, status: 200, text: `Hello ${sub}\n` });
      const reply = await fetch(recipeOf(file).url);
      expect({ file, status: reply.status }).toEqual({ file, status: 401 });
      expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });

  it('recipes tolerate a clock that is 8 s ahead or 3 s behind, not 30 s [J6]', async () => {
    const stamped = (offset: number, life = 600) => {
      const iat = Math.floor(Date.now() / 1000) + offset;
      return forge.token({ claims: { iat, nbf: iat - 5, exp: iat + life } });
    };
    expect(await askAll(stamped(8))).toEqual(same(200));
    expect(await askAll(stamped(30))).toEqual(same(401));
    expect(await askAll(stamped(-63, 60))).toEqual(same(200));
    expect(await askAll(stamped(-90, 60))).toEqual(same(401));
  });

  it('recipes that read keys by themselves accept a new key and drop a removed one [pain 11]', async () => {
    const rotated = new Forge(forge.issuer, AUDIENCE, 'ES256');
    await issuer.close();
    issuer = await serveKeys(await makeDocument(rotated));
    await pause(COOL_DOWN);
    expect(await askAll(rotated.token(), followers)).toEqual(same(200, followers));
    expect(await askAll(forge.token(), followers)).toEqual(same(401, followers));
  });
});

once('docs/verifying-tokens.md', () => {
  const root = join(import.meta.dirname, '..', '..');
  const page = readFileSync(join(root, 'docs', 'verifying-tokens.md'), 'utf8');

  const shown = ['node-traffy.mjs', 'node-jose.mjs', 'python_pyjwt.py'];

  it.each(shown)('shows %s like the file', (file) => {
    expect(page).toContain(readFileSync(join(root, 'docs', 'recipes', file), 'utf8'));
  });

  it('shows or links every recipe', () => {
    const linked = [...page.matchAll(/\]\(recipes\/([\w.-]+)\)/g)].map(([, file]) => file);
    expect([...shown, ...new Set(linked)].toSorted()).toEqual(
      readdirSync(join(root, 'docs', 'recipes')).toSorted(),
    );
  });

  it('describes every option of the verifier', () => {
    const { all } =
      /not an option; the options are (?<all>.+)$/.exec(messageOf({ nonsense: 1 }))?.groups ?? {};
    const inner =
      /the options are (?<all>.+)$/.exec(messageOf({ revocations: { nonsense: 1 } }))?.groups ?? {};
    const names = [
      ...(all?.split(', ') ?? []),
      ...(inner['all']?.split(', ') ?? []).map((name) => `revocations.${name}`),
    ];
    expect(names).toHaveLength(11);
    expect(names.filter((name) => !page.includes(`\n| \`${name}\``))).toEqual([]);
  });

  it('states the number of tokens', async () => {
    const { vectors } = await makeDocument(await newForge());
    expect(page).toContain(`${vectors.filter(({ expected }) => expected !== 'may').length} tokens`);
  });
});

/** What the verifier says of options that it does not take. */
function messageOf(options: object): string {
  try {
    createVerifier({ issuer: 'https://a.example', audience: AUDIENCE, ...options });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
