import { createHash } from 'node:crypto';
import type { MailRecord } from './outbox-records.js';
import { escapeHtml } from './render-mail.js';

const CSS = `:root { color-scheme: light dark; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
article { margin: 1rem 0; padding: 0 1rem; border: 1px solid #80808080; border-radius: 4px; }
h2 { font-size: 1.1rem; } pre { white-space: pre-wrap; } .about { color: light-dark(#555, #bbb); }`;

/** Allows the style of this page only: no script, image or remote content. */
export const MAILBOX_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(CSS).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

/** The page that shows mails. Links are under `publicUrl` only. */
export function mailboxPage(mails: readonly MailRecord[], publicUrl: string): string {
  const articles = mails.map((mail) => article(mail, publicUrl)).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox</title>
<style>${CSS}</style>
</head>
<body>
<h1>Mailbox</h1>
<p class="about">The latest mails of this server. Without SMTP_URL they are only shown here. Available in development, on this machine only.</p>
${articles || '<p>No mails yet.</p>'}
</body>
</html>
`;
}

function article(
  { kind, state, to, created_at: at, last_error: error, content }: MailRecord,
  publicUrl: string,
): string {
  const about = [at, kind, state, error].filter((part) => part !== null).join(' · ');
  const text = content ? `<pre>${linked(content.text, publicUrl)}</pre>` : '';
  return `<article>
<h2>${escapeHtml(content?.subject ?? kind)}</h2>
<p class="about">To ${escapeHtml(to ?? 'a recipient that is determined when it is sent')} · ${escapeHtml(about)}</p>
${text}
</article>`;
}

function linked(text: string, publicUrl: string): string {
  return text
    .split(/(\S+)/)
    .map((word) =>
      word.startsWith(`${publicUrl}/`)
        ? `<a href="${escapeHtml(word)}" rel="noreferrer">${escapeHtml(word)}</a>`
        : escapeHtml(word),
    )
    .join('');
}
