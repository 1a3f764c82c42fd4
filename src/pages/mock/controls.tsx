import './controls.css';
import { useEffect, useState } from 'preact/hooks';
import { LANGUAGES } from '../../texts/language.js';
import { showBadge } from '../dev/badge-box.ts';
import { adoptLanguage } from '../language.ts';
import { language } from '../text.js';
import { type Control, CONTROLS, currentControl } from './situations.ts';
import { forget, onSave, save, state } from './state.ts';

/** Shows the controls of the mock in the corner of the page. */
export function showControls(): void {
  showBadge(<Controls />);
}

function Controls() {
  const [current, setCurrent] = useState(currentControl);
  // The flows of the page change it too.
  useEffect(() => onSave(() => setCurrent(currentControl())), []);
  return (
    <details
      open={state.isOpen}
      onToggle={({ currentTarget }) => {
        state.isOpen = currentTarget.open;
        save();
      }}
    >
      <summary>
        <strong>Mock</strong> {current}
      </summary>
      <fieldset>
        {CONTROLS.map((control) => (
          <button
            key={control.text}
            type="button"
            aria-pressed={control.text === current}
            onClick={() => show(control)}
          >
            {control.text}
          </button>
        ))}
      </fieldset>
      <fieldset>
        {LANGUAGES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === language}
            onClick={() => adoptLanguage(name)}
          >
            {name}
          </button>
        ))}
        <label>
          Colour <input type="color" value={brandColor()} onChange={paint} />
        </label>
        <button
          type="button"
          onClick={() => {
            forget();
            location.reload();
          }}
        >
          Reset
        </button>
      </fieldset>
    </details>
  );
}

/** Changes the state, and opens a page that shows it. */
function show({ apply, pages }: Control): void {
  apply();
  if (pages && !pages.includes(location.pathname)) location.assign(pages[0]);
  else location.reload();
}

function paint(event: Event): void {
  state.color = (event.currentTarget as HTMLInputElement).value;
  save();
  location.reload();
}

function brandColor(): string {
  return state.color ?? getComputedStyle(document.documentElement).getPropertyValue('--brand').trim();
}
