import type { ComponentChildren } from 'preact';
import { site } from '../site.js';

/** The narrow box of the pages for signed-out people. */
export function Card({
  children,
  footer,
}: {
  readonly children: ComponentChildren;
  readonly footer?: ComponentChildren;
}) {
  return (
    <>
      <Brand />
      <section class="card">{children}</section>
      {footer && <p class="beneath">{footer}</p>}
    </>
  );
}

/** The logo or name, which leads to the start. */
export function Brand() {
  return (
    <a class="brand" href="/">
      {site.logo ? <img src={site.logo} alt={site.brand} height={32} /> : site.brand}
    </a>
  );
}
