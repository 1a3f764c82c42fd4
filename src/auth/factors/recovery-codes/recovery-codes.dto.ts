import { z } from 'zod';
import { say } from '../../../texts/text.js';

/** A recovery code as users type it. Text in another format is a wrong code, not an invalid request. */
export const recoveryCodeSchema = z
  .string({ error: say(({ fields }) => fields.text) })
  .max(100, { error: say(({ fields }) => fields.atMost.characters('100')) })
  .meta({ description: 'One of the recovery codes. Case, spaces and dashes do not matter.' });

export const recoveryCodesReplySchema = z
  .object({ codes: z.array(z.string()).meta({ description: 'Each can be used once.' }) })
  .meta({ id: 'RecoveryCodes', examples: [{ codes: ['7K2QX-0M4TB-VR9HD-3WN5E-YC8JZ'] }] });
export type RecoveryCodesReply = z.output<typeof recoveryCodesReplySchema>;
