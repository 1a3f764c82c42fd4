import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
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
import type { Config } from '../../config/load.config.js';
import { packageVersion } from '../../config/package-root.config.js';
import { groupOf, routeDocs } from './api-reply.decorator.js';
import { CLIENT_SCHEME, CLIENT_SECURITY, OAUTH_ERROR_SCHEMA } from './oauth-docs.js';
import {
  type DocumentedRoute,
  describeRoute,
  type FieldMistake,
  PROBLEM_SCHEMA,
  problemResponses,
} from './route-problems.js';
import { adaptSchemas, dropUnusedSchemas, moveExamples, nameOf, type Schemas } from './schemas.js';
import { introduction, strategyDocs } from './strategy-docs.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** Handlers that carry Swagger's own metadata already; a process may hold several applications. */
const translated = new WeakSet<object>();

/** The OpenAPI 3.1 document of the strategy that runs, made from the decorators and schemas of the routes. */
export function buildOpenApi(app: NestFastifyApplication, config: Config): OpenAPIObject {
  const routes = findRoutes(app);
  const optionalBodies = new Set<string>();
  const document = SwaggerModule.createDocument(app, describeService(config), {
    autoTagControllers: false,
    standardSchemaConverter: (schema, { schemaType }) =>
      convert(schema as unknown as z.ZodType, schemaType, optionalBodies),
  });
  delete document.info.contact;
  Object.assign(document.info, { license: { name: 'MIT', identifier: 'MIT' } });

  const schemas = (document.components ??= {}).schemas as Schemas;
  adaptSchemas(schemas, config);
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const route = routes.get(operation.operationId ?? '');
      if (!route) throw new Error(`${method} ${path} is not documented`);
      if (isLeftOut(route, config)) delete item[method];
      else complete(operation, method, route, config, schemas, optionalBodies);
    }
    if (!METHODS.some((method) => item[method])) delete document.paths[path];
  }
  schemas['Problem'] = PROBLEM_SCHEMA;
  schemas['OAuthError'] = OAUTH_ERROR_SCHEMA;
  dropUnusedSchemas(document);
  return document;
}

function describeService(config: Config) {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Traffy')
    .setDescription(introduction(config))
    .setVersion(packageVersion())
    .addServer('/')
    .addTag('Accounts', 'Making an account, and one’s own.')
    .addTag('Sign-in', 'Sign in, who am I, sign out.')
    .addTag('Second factors', 'What a sign-in needs besides the password.')
    .addTag('Passkeys', 'Signing in without a password.')
    .addTag('Devices', 'Where one is signed in.')
    .addTag('Services', 'What other services need to trust our tokens.')
    .addTag('Health', 'For load balancers and monitoring.')
    .addSecurity(CLIENT_SCHEME, CLIENT_SECURITY);
  for (const name of config.auth.AUTH_STRATEGY)
    for (const [key, scheme] of Object.entries(strategyDocs(config, name).schemes))
      builder.addSecurity(key, scheme);
  return builder.build();
}

/** Every documented route by its operation id, after handing what its decorators said to Swagger's. */
function findRoutes(app: NestFastifyApplication): Map<string, DocumentedRoute> {
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

/** JSON Schema 2020-12, which is what OpenAPI 3.1 speaks. */
function convert(schema: z.ZodType, io: 'input' | 'output', optionalBodies: Set<string>) {
  const {
    $schema: _,
    $defs = {},
    ...converted
  } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // The format says it; the expression behind it is for machines that do not know the format.
      if (jsonSchema.format) delete jsonSchema.pattern;
      // All that is safe to count with is no bound.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // Replies may gain fields without breaking a client.
      if (io === 'output' && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
    },
  });
  if (io === 'input' && schema instanceof z.ZodOptional)
    optionalBodies.add(String(converted.$ref).split('/').pop() ?? '');
  return { schema: converted, components: $defs } as never;
}

function isLeftOut({ docs }: DocumentedRoute, config: Config): boolean {
  return docs.acceptedWith !== undefined && !config.auth.AUTH_STRATEGY.includes(docs.acceptedWith);
}

/** Adds what follows from the guards, the method and the strategy. */
function complete(
  operation: OperationObject,
  method: string,
  route: DocumentedRoute,
  config: Config,
  schemas: Schemas,
  optionalBodies: ReadonlySet<string>,
): void {
  const { docs } = route;
  operation.security = securityOf(route, config);
  const success = operation.responses[docs.reply.status] as ResponseObject;
  if (docs.cookies) {
    const { setCookie } = strategyDocs(config, docs.acceptedWith ?? config.auth.AUTH_STRATEGY[0]);
    const description = docs.cookies === 'set' ? setCookie : 'Clears every cookie there ever was.';
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
  Object.assign(operation.responses, problemResponses(route, method, config, mistake));
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
  // Nothing is left of it with this strategy.
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

/** What may be wrong with a request of an operation: its first parameter or field. */
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

/** Any one of the accepted kinds; where a credential is read but not required, none will do as well. */
function securityOf({ docs, access, isOAuth }: DocumentedRoute, config: Config): Record<string, string[]>[] {
  if (isOAuth) return [{ [CLIENT_SCHEME]: [] }];
  if (access === 'none' || docs.credentials === 'none') return [];
  const kinds = config.auth.AUTH_STRATEGY.flatMap((name) => Object.keys(strategyDocs(config, name).schemes));
  return [...(access === 'optional' ? [{}] : []), ...kinds.map((key) => ({ [key]: [] }))];
}
