import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';

const authMethods = z.array(z.enum(['client_secret_basic', 'client_secret_post']));

export const metadataReplySchema = z
  .object({
    issuer: z.string().meta({ description: '`iss` of access tokens: exactly PUBLIC_URL.' }),
    jwks_uri: z.string(),
    introspection_endpoint: z.string(),
    introspection_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint: z.string(),
    revocation_endpoint_auth_methods_supported: authMethods,
    response_types_supported: z
      .array(z.string())
      .meta({ description: 'Required by RFC 8414, and empty: there is no authorization endpoint.' }),
    grant_types_supported: z
      .array(z.string())
      .meta({ description: 'Empty: left out, it would mean `authorization_code` and `implicit`.' }),
    service_documentation: z.string().optional(),
    revocations_uri: z.string().meta({ description: 'Our extension: the signed feed of revocations.' }),
    access_token_signing_alg_values_supported: z
      .array(z.enum(SIGNING_ALGORITHMS))
      .meta({ description: 'Our extension: the algorithms of the published keys.' }),
  })
  .meta({
    id: 'AuthorizationServerMetadata',
    examples: [
      {
        issuer: 'https://auth.example.com',
        jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
        introspection_endpoint: 'https://auth.example.com/introspect',
        introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
        revocation_endpoint: 'https://auth.example.com/revoke',
        revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
        response_types_supported: [],
        grant_types_supported: [],
        revocations_uri: 'https://auth.example.com/.well-known/revocations',
        access_token_signing_alg_values_supported: ['ES256'],
      },
    ],
  });
export type MetadataReply = z.output<typeof metadataReplySchema>;
