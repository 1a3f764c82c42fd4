/** Passkeys of browsers: `import { createPasskeys } from 'traffy-client/passkeys'`. */
export { createPasskeys, type Passkeys } from './passkeys.js';
