import type { MailContent } from './mail-contents.js';

/** A mail as sent. */
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

/** Renders a mail as text and as HTML. Neither loads remote content. */
export function renderMail(content: MailContent): RenderedMail {
  const { language, subject, says, link, code, facts, advice, help } = content;
  const text = [
    ...says.map(wrap),
    // On a line of its own, and never wrapped, so that mail programs recognise the link.
    ...(link === undefined ? [] : [link]),
    ...(code === undefined ? [] : [wrap(code.advice), code.page, code.text]),
    facts.map(([label, fact]) => `${label}: ${fact}`).join('\n'),
    wrap(advice),
    ...(help === undefined ? [] : [help]),
  ].join('\n\n');
  const html = [
    '<!doctype html>',
    `<html lang="${language}"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body>`,
    ...says.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`),
    ...(link === undefined ? [] : [anchor(link)]),
    ...(code === undefined
      ? []
      : [
          `<p>${escapeHtml(code.advice)}</p>`,
          anchor(code.page),
          `<p><code>${escapeHtml(code.text)}</code></p>`,
        ]),
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

/** Escapes text for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

/** Wraps a paragraph between words, for mail programs that do not wrap. */
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
