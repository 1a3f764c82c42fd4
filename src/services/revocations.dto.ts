import { z } from 'zod';
import { isCursor } from './revocation-documents.service.js';

export const revocationsQuerySchema = z.strictObject({
  cursor: z
    .string()
    .max(64)
    .refine(isCursor, 'must be the cursor of an earlier answer')
    .optional()
    .meta({ description: 'The `cursor` of an earlier answer: returns the new entries since then, or all.' }),
});
export type RevocationsQuery = z.output<typeof revocationsQuerySchema>;

export const revocationsReplySchema = z.string().meta({
  id: 'Revocations',
  description: 'A compact JWS, signed by a key of the key set, with `typ: revocations+jwt`.',
  examples: [
    'eyJhbGciOiJFUzI1NiIsImtpZCI6IjAxOWEwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSIsInR5cCI6InJldm9jYXRpb25zK2p3dCJ9.eyJpc3MiOiJodHRwOi8vbG9jYWxob3N0OjgwMDAiLCJpYXQiOjE3OTUzNDg4MDAsImV4cCI6MTc5NTM0ODg2MCwic2luY2UiOm51bGwsImN1cnNvciI6Ik1TNDNOREkiLCJlbnRyaWVzIjpbeyJzaWQiOiIwMTlhMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDIiLCJleHAiOjE3OTUzNDk0NjB9XX0.c2lnbmF0dXJl',
  ],
});
