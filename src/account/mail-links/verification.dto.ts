import { z } from 'zod';
import { emailSchema } from '../../users/users.dto.js';
import { EXAMPLE_MAILED_TOKEN, mailedTokenSchema } from './recovery.dto.js';

export const emailChangeSchema = z
  .strictObject({ email: emailSchema })
  .meta({ id: 'EmailChange', examples: [{ email: 'new@example.com' }] });
export type EmailChangeBody = z.output<typeof emailChangeSchema>;

export const emailProofSchema = z
  .strictObject({ token: mailedTokenSchema })
  .meta({ id: 'EmailProof', examples: [{ token: EXAMPLE_MAILED_TOKEN }] });
export type EmailProofBody = z.output<typeof emailProofSchema>;
