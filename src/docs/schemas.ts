import type { MediaTypeObject, OpenAPIObject } from '@nestjs/swagger';
import type { Config } from '../../config/load.config.js';
import { ISSUING_STRATEGY } from './api-reply.decorator.js';

/** A JSON Schema, as far as it is looked into here. */
export interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  example?: unknown;
  'x-issued-by'?: string;
  'x-accepted-with'?: string;
  'x-min-length-by'?: 'PASSWORD_MIN_LENGTH';
  [key: string]: unknown;
}
export type Schemas = Record<string, Schema>;

const REFERENCE = '#/components/schemas/';

/** Removes the fields that do not exist with the strategy, from the examples too, and fills in what settings say. */
export function adaptSchemas(schemas: Schemas, { auth, password }: Config): void {
  const [issuing] = auth.AUTH_STRATEGY;
  for (const schema of Object.values(schemas)) {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const { 'x-issued-by': issuer = issuing, 'x-accepted-with': accepted = issuing } = field;
      if (field['x-min-length-by']) field['minLength'] = password[field['x-min-length-by']];
      for (const mark of ['x-issued-by', 'x-accepted-with', 'x-min-length-by'] as const) delete field[mark];
      const isThere = issuer === issuing && auth.AUTH_STRATEGY.some((strategy) => strategy === accepted);
      if (!isThere) removeField(schema, name);
    }
    if (schema.example)
      schema.example = JSON.parse(JSON.stringify(schema.example).replaceAll(ISSUING_STRATEGY, issuing));
  }
}

/** Puts examples where tools look for them: beside the schema of a body, not into it. */
export function moveExamples(
  media: MediaTypeObject | undefined,
  schemas: Schemas,
  named: Readonly<Record<string, unknown>>,
): void {
  if (!media) return;
  const schema = schemas[nameOf(media)];
  if (Object.keys(named).length > 0) {
    media.examples = Object.fromEntries(
      Object.entries(named).map(([name, value]) => [name.replaceAll(' ', '_'), { summary: name, value }]),
    );
  } else if (schema?.example !== undefined) {
    media.example = schema.example;
  }
}

/** Removes the schemas that nothing refers to any more, and the examples that were moved out of the rest. */
export function dropUnusedSchemas(document: OpenAPIObject): void {
  const schemas = document.components?.schemas as Schemas;
  for (const schema of Object.values(schemas)) delete schema.example;
  const isUnused = (name: string) => !JSON.stringify(document).includes(`"${REFERENCE}${name}"`);
  for (let unused = Object.keys(schemas).filter(isUnused); unused.length > 0;) {
    for (const name of unused) delete schemas[name];
    unused = Object.keys(schemas).filter(isUnused);
  }
}

/** The name of the schema that a body refers to. */
export function nameOf(media: MediaTypeObject | undefined): string {
  const { $ref = '' } = (media?.schema ?? {}) as { $ref?: string };
  return $ref.slice(REFERENCE.length);
}

function removeField(schema: Schema, name: string): void {
  delete schema.properties?.[name];
  if (schema.required) schema.required = schema.required.filter((required) => required !== name);
  if (schema.example && typeof schema.example === 'object')
    delete (schema.example as Record<string, unknown>)[name];
}
