import { z } from 'zod';
import { optional } from '../../../platform/http/absent.js';
import {
  accessTokenSchema,
  EXAMPLE_REFRESH_TOKEN,
  EXAMPLE_TOKENS,
  expiresInSchema,
  newRefreshTokenSchema,
  refreshTokenSchema,
  tokenTypeSchema,
} from '../../credentials/credential.dto.js';

export const refreshSchema = optional(z.strictObject({ refresh_token: optional(refreshTokenSchema) })).meta({
  id: 'Refresh',
  examples: [{ refresh_token: EXAMPLE_REFRESH_TOKEN }],
});
export type RefreshBody = z.output<typeof refreshSchema>;

export const refreshReplySchema = z
  .object({
    access_token: accessTokenSchema,
    token_type: tokenTypeSchema,
    expires_in: expiresInSchema,
    refresh_token: newRefreshTokenSchema,
  })
  .meta({ id: 'RefreshReply', examples: [EXAMPLE_TOKENS] });
export type RefreshReply = z.output<typeof refreshReplySchema>;
