import type { MediaTypeObject, OpenAPIObject } from '@nestjs/swagger';
import type { StrategyName } from '../../../config/auth.config.js';
import { ISSUING_STRATEGY } from './api-reply.decorator.js';
import type { Described } from './documented-strategies.js';

/** A JSON Schema, as far as it is used here. */
interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  example?: unknown;
  /** The examples by issuing strategy, if they differ. */
  examplesByStrategy?: Readonly<Record<string, unknown>>;
  'x-issued-by'?: string;
  'x-accepted-with'?: string;
  'x-min-length-by'?: 'PASSWORD_MIN_LENGTH';
  [key: string]: unknown;
}
export type Schemas = Record<string, Schema>;

const REFERENCE = '#/components/schemas/';

/**
 * Removes the fields that do not exist with the strategy, also from the examples, and fills in values of settings. With
 * several strategies, a field that not all of them have is optional.
 */
export function adaptSchemas(schemas: Schemas, described: Described): void {
  const { config, issuing, accepted } = described;
  for (const schema of Object.values(schemas)) {
    const issuers = new Map<string, string | undefined>();
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const { 'x-issued-by': issuer, 'x-accepted-with': acceptor } = field;
      if (field['x-min-length-by']) field['minLength'] = config.password[field['x-min-length-by']];
      for (const mark of ['x-issued-by', 'x-accepted-with', 'x-min-length-by'] as const) delete field[mark];
      issuers.set(name, issuer);
      const isThere = isIn(issuing, issuer) && isIn(accepted, acceptor);
      if (!isThere) delete schema.properties?.[name];
      if (schema.required && (!isThere || (issuer !== undefined && issuing.length > 1)))
        schema.required = schema.required.filter((required) => required !== name);
    }
    if (schema.example === undefined) continue;
    const fields = schema.properties && new Set(Object.keys(schema.properties));
    const examples = issuing.map((strategy) => exampleOf(schema.example, strategy, fields, issuers));
    schema.example = examples[0];
    if (new Set(examples.map((example) => JSON.stringify(example))).size > 1)
      schema.examplesByStrategy = Object.fromEntries(issuing.map((name, index) => [name, examples[index]]));
  }
}

/** The example of a schema if a strategy issues. */
function exampleOf(
  example: unknown,
  strategy: StrategyName,
  fields: ReadonlySet<string> | undefined,
  issuers: ReadonlyMap<string, string | undefined>,
): unknown {
  const text = JSON.stringify(example).replaceAll(ISSUING_STRATEGY, strategy);
  const value = JSON.parse(text) as unknown;
  if (!fields || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => fields.has(name) && isIn([strategy], issuers.get(name))),
  );
}

function isIn(strategies: readonly StrategyName[], mark: string | undefined): boolean {
  return mark === undefined || strategies.some((strategy) => strategy === mark);
}

/** Moves examples to the place where tools expect them: beside the schema of a body, not in it. */
export function moveExamples(
  media: MediaTypeObject | undefined,
  schemas: Schemas,
  named: Readonly<Record<string, unknown>>,
): void {
  if (!media) return;
  const schema = schemas[nameOf(media)];
  const examples = Object.keys(named).length > 0 ? named : schema?.examplesByStrategy;
  if (examples) {
    media.examples = Object.fromEntries(
      Object.entries(examples).map(([name, value]) => [name.replaceAll(' ', '_'), { summary: name, value }]),
    );
  } else if (schema?.example !== undefined) {
    media.example = schema.example;
  }
}

/** Removes unreferenced schemas, and the examples that were moved out of the others. */
export function dropUnusedSchemas(document: OpenAPIObject): void {
  const schemas = document.components?.schemas as Schemas;
  for (const schema of Object.values(schemas)) {
    delete schema.example;
    delete schema.examplesByStrategy;
  }
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
