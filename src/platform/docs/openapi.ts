import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import {
  ApiOperation,
  ApiResponse,
  ApiTags,
  DocumentBuilder,
  type OpenAPIObject,
  type OperationObject,
  type ResponseObject,
  SwaggerModule,
} from '@nestjs/swagger';
import { z } from 'zod';
import { packageVersion } from '../../../config/package-root.config.js';
import { groupOf, routeDocs, type RouteDocs } from './api-reply.decorator.js';
import type { Described } from './documented-strategies.js';
import { CLIENT_SCHEME, CLIENT_SECURITY, OAUTH_ERROR_SCHEMA } from './oauth-docs.js';
import {
  type DocumentedRoute,
  describeRoute,
  type FieldMistake,
  problemResponses,
} from './route-problems.js';
import { addRateLimits, RATE_LIMIT_HEADERS } from './rate-limit-docs.js';
import { problemSchemas } from './problem-schemas.js';
import { adaptSchemas, dropUnusedSchemas, moveExamples, nameOf, type Schemas } from './schemas.js';
import { introduction, strategyDocs } from './strategy-docs.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** Handlers that already have Swagger's metadata; a process can contain several applications. */
const translated = new WeakSet<object>();

/**
 * The OpenAPI 3.1 document, generated from the decorators and schemas of the routes.
 *
 * @param app can be in preview mode: only its classes are read.
 */
export function buildOpenApi(app: INestApplication, described: Described): OpenAPIObject {
  const routes = findRoutes(app);
  const optionalBodies = new Set<string>();
  const document = SwaggerModule.createDocument(app, describeService(described), {
    autoTagControllers: false,
    standardSchemaConverter: (schema, { schemaType }) =>
      convert(schema as unknown as z.ZodType, schemaType, optionalBodies),
  });
  delete document.info.contact;
  Object.assign(document.info, { license: { name: 'MIT', identifier: 'MIT' } });

  const schemas = (document.components ??= {}).schemas as Schemas;
  adaptSchemas(schemas, described);
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const route = routes.get(operation.operationId ?? '');
      if (!route) throw new Error(`${method} ${path} is not documented`);
      if (isLeftOut(route, described)) delete item[method];
      else complete(operation, method, route, described, schemas, optionalBodies);
    }
    if (!METHODS.some((method) => item[method])) delete document.paths[path];
  }
  Object.assign(schemas, problemSchemas());
  Object.assign(document.components, { headers: RATE_LIMIT_HEADERS });
  schemas['OAuthError'] = OAUTH_ERROR_SCHEMA;
  dropUnusedSchemas(document);
  return document;
}

function describeService(described: Described) {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Traffy')
    .setDescription(introduction(described))
    .setVersion(packageVersion())
    .addServer('/')
    .addTag('Accounts', 'Sign-up and the account of the caller.')
    .addTag('Sign-in', 'Sign-in, current user, sign-out.')
    .addTag('Second factors', 'Factors of a sign-in besides the password.')
    .addTag('Passkeys', 'Sign-in without a password.')
    .addTag('E-mail address', 'Change and verification of the e-mail address of the caller.')
    .addTag('Recovery', 'Forgotten passwords.')
    .addTag('Devices', 'The sessions of the caller.')
    .addTag('Administration', 'Accounts of other users and the audit trail, for the role `admin`.')
    .addTag('Services', 'For other services: verify, introspect and revoke tokens.')
    .addTag('Health', 'For load balancers and monitoring.')
    .addSecurity(CLIENT_SCHEME, CLIENT_SECURITY);
  for (const name of described.accepted)
    for (const [key, scheme] of Object.entries(strategyDocs(described.config, name).schemes))
      builder.addSecurity(key, scheme);
  return builder.build();
}

/** All documented routes by operation id, after passing their documentation to Swagger's decorators. */
function findRoutes(app: INestApplication): Map<string, DocumentedRoute> {
  const routes = new Map<string, DocumentedRoute>();
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [
    ...module.controllers.values(),
  ]);
  for (const { metatype } of controllers) {
    if (!metatype) continue;
    const prototype = metatype.prototype as object;
    for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
      const docs = descriptor && routeDocs(descriptor.value as object);
      if (!docs) continue;
      const handler = descriptor.value as object;
      routes.set(docs.operationId, describeRoute(docs, handler, metatype));
      if (translated.has(handler)) continue;
      translated.add(handler);
      const { operationId, summary, description, reply } = docs;
      ApiOperation({ operationId, summary, ...(description && { description }) })(
        prototype,
        name,
        descriptor,
      );
      ApiTags(groupOf(metatype) ?? metatype.name)(prototype, name, descriptor);
      const { status, schema } = reply;
      ApiResponse({ status, description: reply.description, ...(schema && { standardSchema: schema }) })(
        prototype,
        name,
        descriptor,
      );
    }
  }
  return routes;
}

/** JSON Schema 2020-12, as in OpenAPI 3.1. */
function convert(schema: z.ZodType, io: 'input' | 'output', optionalBodies: Set<string>) {
  const {
    $schema: _,
    $defs = {},
    ...converted
  } = z.toJSONSchema(schema, {
    io,
    override: ({ zodSchema, jsonSchema }) => {
      // Zod drops the examples of inputs that it transforms, optional fields among them. Ours are inputs.
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      // The format is sufficient; the pattern is for tools that do not know the format.
      if (jsonSchema.format) delete jsonSchema.pattern;
      // Keys of objects are text anyway.
      delete jsonSchema.propertyNames;
      // Text that is a number: its bounds are in the schema's own metadata.
      if (jsonSchema.type === 'integer') delete jsonSchema.pattern;
      // The range of safe integers is no meaningful bound.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // Replies can gain fields without breaking clients.
      if (io === 'output' && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
    },
  });
  if (io === 'input' && schema instanceof z.ZodOptional)
    optionalBodies.add(String(converted.$ref).split('/').pop() ?? '');
  return { schema: converted, components: $defs } as never;
}

function isLeftOut({ docs }: DocumentedRoute, { accepted }: Described): boolean {
  return docs.acceptedWith !== undefined && !accepted.includes(docs.acceptedWith);
}

/** Adds what follows from the guards, the method and the strategy. */
function complete(
  operation: OperationObject,
  method: string,
  route: DocumentedRoute,
  described: Described,
  schemas: Schemas,
  optionalBodies: ReadonlySet<string>,
): void {
  const { docs } = route;
  operation.security = securityOf(route, described);
  const success = operation.responses[docs.reply.status] as ResponseObject;
  if (docs.cookies) {
    const description =
      docs.cookies === 'set' ? setCookies(docs, described) : 'Clears all credential cookies.';
    success.headers = { 'Set-Cookie': { description, schema: { type: 'string' } } };
  }
  for (const [name, description] of Object.entries(docs.reply.headers))
    success.headers = { ...success.headers, [name]: { description, schema: { type: 'string' } } };
  if (docs.reply.schema) {
    success.content = { [docs.reply.mediaType]: success.content?.['application/json'] ?? {} };
    moveExamples(success.content[docs.reply.mediaType], schemas, docs.reply.examples);
  }
  completeBody(operation, schemas, optionalBodies);
  const mistake = mistakeIn(operation, schemas);
  if (route.isOAuth) takeForm(operation);
  Object.assign(operation.responses, problemResponses(route, method, described, mistake));
  addRateLimits(operation.responses, route.counted);
}

/** The cookies of a sign-in, by each strategy that can issue. */
function setCookies({ acceptedWith }: RouteDocs, { config, issuing }: Described): string {
  const names = acceptedWith ? [acceptedWith] : issuing;
  if (names.length === 1) return strategyDocs(config, names[0] ?? issuing[0]).setCookie;
  return names.map((name) => `If \`${name}\` issues: ${strategyDocs(config, name).setCookie}`).join('\n\n');
}

function completeBody(
  operation: OperationObject,
  schemas: Schemas,
  optionalBodies: ReadonlySet<string>,
): void {
  const body = operation.requestBody;
  if (!body || '$ref' in body) return;
  const media = body.content['application/json'];
  const name = nameOf(media);
  // The schema has no fields with this strategy.
  if (Object.keys(schemas[name]?.properties ?? {}).length === 0) {
    delete operation.requestBody;
    return;
  }
  body.required = !optionalBodies.has(name);
  moveExamples(media, schemas, {});
}

function takeForm({ requestBody }: OperationObject): void {
  if (!requestBody || '$ref' in requestBody) return;
  requestBody.content = {
    'application/x-www-form-urlencoded': requestBody.content['application/json'] ?? {},
  };
}

/** An example of an invalid request for an operation: its first parameter or field. */
function mistakeIn({ parameters = [], requestBody }: OperationObject, schemas: Schemas): FieldMistake {
  const [parameter] = parameters;
  if (parameter && 'name' in parameter) {
    const { enum: allowed = [] } = parameter.schema as { enum?: string[] };
    if (allowed.length === 0) return { path: parameter.name, message: 'is malformed' };
    return { path: parameter.name, message: `must be ${allowed.join(', ').replace(/, (?=[^,]*$)/, ' or ')}` };
  }
  const media = requestBody && 'content' in requestBody ? requestBody.content['application/json'] : undefined;
  const [path = ''] = Object.keys(schemas[nameOf(media)]?.properties ?? {});
  return { path, message: 'must be a string' };
}

/** Any one of the accepted kinds; none, too, if a credential is read but not required. */
function securityOf(
  { docs, access, isOAuth }: DocumentedRoute,
  { config, accepted }: Described,
): Record<string, string[]>[] {
  if (isOAuth) return [{ [CLIENT_SCHEME]: [] }];
  if (access === 'none' || docs.credentials === 'none') return [];
  const kinds = new Set(accepted.flatMap((name) => Object.keys(strategyDocs(config, name).schemes)));
  return [...(access === 'optional' ? [{}] : []), ...[...kinds].map((key) => ({ [key]: [] }))];
}
