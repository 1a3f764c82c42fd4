import { useState } from 'preact/hooks';

let count = 0;

/** An id of the whole document. The ids of Preact repeat: each dialog is a root of its own. */
export function useUniqueId(): string {
  const [id] = useState(() => {
    count += 1;
    return `id-${count}`;
  });
  return id;
}
