/*
 * Gives the page what the server decides by the session and the request, from the state of the mock. The server wrote
 * the rest. Import it before any module of a page: those read it once.
 */
import { currentUser, state } from './state.ts';

/** The home page has no links to what only the server has. */
const SERVERLESS = { docs: false, development: false };

const meta = document.querySelector<HTMLMetaElement>('meta[name=site]');
if (meta) {
  const user = currentUser();
  const isForbidden = location.pathname === '/admin' && user !== null && user.role !== 'admin';
  meta.content = JSON.stringify({ ...(JSON.parse(meta.content) as object), isForbidden, ...SERVERLESS });
}
const brand = document.querySelector<HTMLLinkElement>('link[href^="/brand.css"]');
if (brand && state.color) brand.href = `/brand.css?color=${encodeURIComponent(state.color)}`;
if (state.situation === 'offline') Object.defineProperty(navigator, 'onLine', { get: () => false });
