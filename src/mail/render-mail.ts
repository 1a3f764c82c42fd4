import type { MailContent } from './mail-contents.js';

/** A mail as it is sent. */
export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const WIDTH = 76;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes text and HTML of what a mail says. Neither loads anything from anywhere. */
export function renderMail({ subject, says, link, facts, advice, help }: MailContent): RenderedMail {
  const text = [
    ...says.map(wrap),
    // On a line of its own, and never wrapped.
    ...(link === undefined ? [] : [link]),
    facts.map(([label, fact]) => `${label}: ${fact}`).join('\n'),
    wrap(advice),
    ...(help === undefined ? [] : [help]),
  ].join('\n\n');
  const html = [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body>`,
    ...says.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`),
    ...(link === undefined ? [] : [anchor(link)]),
    `<ul>${facts.map(([label, fact]) => `<li>${escapeHtml(label)}: ${escapeHtml(fact)}</li>`).join('')}</ul>`,
    `<p>${escapeHtml(advice)}</p>`,
    ...(help === undefined ? [] : [anchor(help)]),
    '</body></html>',
  ].join('\n');
  return { subject: subject.replace(/\s+/g, ' '), text: `${text}\n`, html: `${html}\n` };
}

function anchor(link: string): string {
  return `<p><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p>`;
}

/** Text as HTML shows it, in an element or between the quotes of an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

/** Lines that every mail program shows whole; a word is never cut. */
function wrap(paragraph: string): string {
  let line = '';
  const lines: string[] = [];
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
