import './style.css';
import type { ComponentChildren } from 'preact';
import { render } from 'preact';

/** Shows a page in its `<main>`. */
export function mount(children: ComponentChildren, width: 'narrow' | 'wide' = 'narrow'): void {
  const main = document.querySelector('main');
  if (!main) return;
  main.classList.toggle('wide', width === 'wide');
  main.replaceChildren();
  render(children, main);
}
