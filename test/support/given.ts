import * as accounts from './given/accounts.js';
import * as mails from './given/mails.js';
import * as sessions from './given/sessions.js';

/** Facts that a test starts from, set in the database as no call of the API could. */
export const given = { ...accounts, ...mails, ...sessions };
