import { z } from 'zod';

/** A recovery code as people type it. What is no code is simply wrong. */
export const recoveryCodeSchema = z
  .string({ error: 'must be a string' })
  .max(100, { error: 'must have 100 characters at most' })
  .meta({ description: 'One of the recovery codes. Case, spaces and dashes do not matter.' });

export const recoveryCodesReplySchema = z
  .object({ codes: z.array(z.string()).meta({ description: 'Each can be used once.' }) })
  .meta({ id: 'RecoveryCodes', examples: [{ codes: ['7K2QX-0M4TB-VR9HD-3WN5E-YC8JZ'] }] });
export type RecoveryCodesReply = z.output<typeof recoveryCodesReplySchema>;
