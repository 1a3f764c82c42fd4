import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { onServer } from '../support/database.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

/** The code of an entry as a page would load it. */
async function bundled(entry: string): Promise<string> {
  const script = join(root, 'tools', 'packages', 'bundle.mjs');
  return (await run(process.execPath, [script, join('src', 'client', entry)])).stdout;
}

// No database takes part.
(onServer ? describe.skip : describe)('the client in a page', () => {
  it('has at most 4 KB (gzip), without passkeys', async () => {
    const code = await bundled('client.entry.ts');
    expect(code).toContain('/session/exchange');
    expect(code).not.toContain('PublicKeyCredential');
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(4_096);
  });

  it('has at most 2 KB (gzip) more for passkeys', async () => {
    const code = await bundled('passkeys.entry.ts');
    expect(code).toContain('PublicKeyCredential');
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(2_000);
  });
});
