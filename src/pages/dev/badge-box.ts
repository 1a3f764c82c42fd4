import './badge.css';
import { type ComponentChildren, render } from 'preact';

/** Shows something for developers in the corner of a page. */
export function showBadge(children: ComponentChildren): void {
  const box = document.createElement('aside');
  box.className = 'dev-badge';
  box.setAttribute('aria-label', 'Development');
  document.body.append(box);
  render(children, box);
}
