import { type ComponentChildren, render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../text.js';
import { useUniqueId } from '../unique-id.js';

interface DialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** Called when the person leaves it with Escape. */
  readonly cancel: () => void;
}

/** A modal dialog. The focus is on its first `data-focus` element, and returns when it closes. */
export function Dialog({ title, children, cancel }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useUniqueId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>('[data-focus]')?.focus();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      role="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        cancel();
      }}
      onClose={() => {
        // Browsers close a dialog at the second Escape, whatever became of the first.
        cancel();
        const element = dialog.current;
        if (element?.isConnected && !element.open) element.showModal();
      }}
    >
      <div class="stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** Shows a dialog until it is closed with a value; undefined if it was cancelled. */
export function openDialog<T>(
  show: (close: (value?: T) => void) => ComponentChildren,
): Promise<T | undefined> {
  const host = document.body.appendChild(document.createElement('div'));
  return new Promise((resolve) => {
    render(
      show((value) => {
        render(null, host);
        host.remove();
        resolve(value);
      }),
      host,
    );
  });
}

interface Confirmation {
  readonly title: string;
  readonly says: string;
  /** Repeats the verb of the title. */
  readonly button: string;
}

/** Asks before something that cannot be undone. */
export async function confirmed({ title, says, button }: Confirmation): Promise<boolean> {
  const answer = await openDialog<true>((close) => (
    <Dialog title={title} cancel={close}>
      <p>{says}</p>
      <div class="buttons">
        <button type="button" data-focus onClick={() => close()}>
          {t.account.cancel}
        </button>
        <button type="button" class="danger" onClick={() => close(true)}>
          {button}
        </button>
      </div>
    </Dialog>
  ));
  return answer ?? false;
}
