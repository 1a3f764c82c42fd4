import { trustedOrigins } from '../../config/app.config.js';
import type { Config } from '../../config/load.config.js';
import { type Language, textsIn } from '../texts/language.js';
import type { PageFiles } from './built-pages.js';
import { pageHtml } from './page-html.js';
import { returnTo } from './return-to.js';

export interface SitePageView {
  readonly language: Language;
  /** The running value of AUTH_STRATEGY. */
  readonly strategy: string;
  /** `return_to` of the query. */
  readonly query: string | null;
  readonly isForbidden: boolean;
  readonly files: PageFiles;
  /** The badge of the development controls. */
  readonly controls?: PageFiles | undefined;
}

/** The HTML of a page for people, with the data that its script reads (`Site` in src/pages/site.ts). */
export function sitePageHtml(config: Config, view: SitePageView): string {
  const { pages, app } = config;
  return pageHtml({
    language: view.language,
    title: pages.BRAND_NAME,
    noScript: textsIn(view.language).pages.noScript,
    files: view.files,
    controls: view.controls,
    site: {
      brand: pages.BRAND_NAME,
      logo: pages.BRAND_LOGO_URL ?? null,
      strategy: view.strategy,
      host: new URL(app.PUBLIC_URL).hostname,
      passwordMin: config.password.PASSWORD_MIN_LENGTH,
      verifiesEmail: config.auth.AUTH_REQUIRE_VERIFIED_EMAIL,
      docs: app.DOCS,
      development: app.APP_ENV === 'development',
      isForbidden: view.isForbidden,
      returnTo: returnTo(view.query, trustedOrigins(app)),
    },
  });
}
