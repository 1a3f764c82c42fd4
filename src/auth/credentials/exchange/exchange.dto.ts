import { z } from 'zod';
import { optional } from '../../../platform/http/absent.js';
import { transportSchema } from '../credential.dto.js';

export const exchangeSchema = optional(z.strictObject({ transport: optional(transportSchema) })).meta({
  id: 'Exchange',
  examples: [{ transport: 'bearer' }],
});
export type ExchangeBody = z.output<typeof exchangeSchema>;
