import { useEffect, useState } from 'preact/hooks';
import { takeToken } from '../mailed-token.js';

/** The token of the link that is open, also after another link was opened in the same tab. */
export function useMailedToken(): string | null {
  const [token, setToken] = useState(takeToken);
  useEffect(() => {
    const again = () => {
      if (location.hash !== '') setToken(takeToken());
    };
    addEventListener('hashchange', again);
    return () => removeEventListener('hashchange', again);
  }, []);
  return token;
}
