import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '../../config/load.config.js';
import { generatedDocument } from '../support/documents.js';
import { ALL } from '../support/settings.js';

describe('docs/configuration.md', () => {
  const path = 'docs/configuration.md';
  const START =
    '<!-- settings: npm test -- test/config/documentation.spec.ts with UPDATE_DOCS=1 writes what follows -->\n';
  const END = '<!-- end of settings -->';

  it('matches the declarations of the settings', () => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8');
    const [before, after] = [text.split(START)[0], text.split(END)[1]];
    const expected = `${before}${START}\n${settingsAsMarkdown()}\n${END}${after}`;
    // Out of date? UPDATE_DOCS=1 npm test -- test/config/documentation.spec.ts
    expect(generatedDocument(path, expected)).toBe(expected);
  });
});

/** The tables of the documentation, as Prettier lays them out. */
function settingsAsMarkdown(): string {
  const sections = Object.entries(SETTINGS).map(([title, settings]) => {
    const rows = Object.entries(settings).map(([name, setting]) => [
      `\`${name}\`${setting.secret ? ' or `' + name + '_FILE`' : ''}`,
      setting.defaultText ?? `\`${setting.default}\``,
      setting.meaning,
      allowedText(setting),
    ]);
    return `## ${title}\n\n${table([['name', 'default', 'meaning', 'allowed'], ...rows])}\n`;
  });
  return sections.join('\n');
}

/** What a message says is allowed, learned from a value that never is; without what it says of that value. */
function allowedText(setting: (typeof ALL)[string]): string {
  const issues = setting.schema.safeParse('\0').error?.issues ?? [];
  return issues.map((issue) => issue.message.replace(/; number 1 .*/, '')).join('; ');
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].join('\n');
}
