/**
 * `npm run packages`: writes `traffy-client-<version>.tgz` and `traffy-verify-<version>.tgz` into dist/packages. Each
 * has its own package.json, README and licence. The types of the client are generated from the API specification first.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { clientTypes } from './client-types.mjs';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const target = join(root, 'dist', 'packages');
const { version, license, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const entry = (name) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });

const PACKAGES = {
  client: {
    description: 'Client of the authentication backend Traffy for browsers, Node.js and mobile web views.',
    sideEffects: false,
    exports: { '.': entry('client.entry'), './passkeys': entry('passkeys.entry') },
  },
  verify: {
    description: 'Verifies access tokens of the authentication backend Traffy, with revocations.',
    exports: { '.': entry('verify.entry') },
    dependencies: { jose: dependencies.jose },
  },
};

await writeTypes();
mkdirSync(target, { recursive: true });
// Complete before they replace earlier ones: another process may read those.
const work = mkdtempSync(join(target, '.work-'));
for (const [room, manifest] of Object.entries(PACKAGES)) pack(room, manifest);
const packed = readdirSync(work);
for (const name of packed) renameSync(join(work, name), join(target, name));
rmSync(work, { recursive: true });
for (const name of readdirSync(target))
  if (name.endsWith('.tgz') && !packed.includes(name)) rmSync(join(target, name));

async function writeTypes() {
  const file = join(root, 'src', 'client', 'specification.data.ts');
  const args = [join('src', 'cli', 'start.mjs'), 'traffy', 'openapi', '--strategy', 'all'];
  const document = execFileSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const text = await clientTypes(JSON.parse(document));
  if (text !== readFileSync(file, 'utf8')) writeFileSync(file, text);
}

function pack(room, manifest) {
  const folder = join(work, room);
  mkdirSync(folder, { recursive: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(here, `tsconfig.${room}.json`), '--outDir', join(folder, 'dist')];
  execFileSync(process.execPath, args, { stdio: 'inherit' });
  const own = {
    name: `traffy-${room}`,
    version,
    license,
    type: 'module',
    engines: { node: '>=20' },
    files: ['dist'],
    ...manifest,
    exports: { ...manifest.exports, './package.json': './package.json' },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  copyFileSync(join(here, `${room}.README.md`), join(folder, 'README.md'));
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', '..'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  rmSync(folder, { recursive: true });
}
