import type { PageFiles } from './built-pages.js';
import type { Language } from '../texts/language.js';

export interface PageHtml {
  readonly language: Language;
  readonly title: string;
  readonly noScript: string;
  readonly files: PageFiles;
  /** The badge of the development controls. */
  readonly controls?: PageFiles | undefined;
  /** The data of the page, as JSON. */
  readonly site: object;
}

/** The HTML of a page: an empty `<main>` that its script fills. */
export function pageHtml({ language, title, noScript, files, site, controls }: PageHtml): string {
  const styles = [...files.styles, '/brand.css', ...(controls?.styles ?? [])];
  const scripts = [files.script, ...(controls ? [controls.script] : [])];
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="site" content="${escapeHtml(JSON.stringify(site))}">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
${styles.map((href) => `<link rel="stylesheet" href="${href}">`).join('\n')}
${files.preloads.map((file) => `<link rel="modulepreload" href="${file}">`).join('\n')}
${scripts.map((src) => `<script type="module" src="${src}"></script>`).join('\n')}
</head>
<body>
<main>
<noscript><p>${escapeHtml(noScript)}</p></noscript>
</main>
</body>
</html>
`;
}

/** Escapes text for an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * Own origin only, and nothing inline (ASVS 5.0.0 3.4.3). Forms are sent by scripts.
 *
 * @param logo the URL of an image on another origin.
 */
export function pagePolicy(logo: string | undefined): string {
  const images = logo === undefined ? '' : ` ${new URL(logo).origin}`;
  return (
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:${images}; connect-src 'self'; ` +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
  );
}
