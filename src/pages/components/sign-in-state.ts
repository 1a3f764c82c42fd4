import { useEffect } from 'preact/hooks';
import type { Client, SignInState } from '../../client/client.entry.js';

/** Gives the state of the sign-in to the page, now and after each change. */
export function useSignInState(
  client: Pick<Client, 'state' | 'onChange'>,
  listener: (state: SignInState) => void,
): void {
  useEffect(() => {
    const end = client.onChange(listener);
    // The first answer can precede the first frame, after which effects run.
    listener(client.state);
    return end;
  }, []);
}
