import openapiTS, { astToString } from 'openapi-typescript';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

const HEADER = `// Generated from the API specification of all strategies: UPDATE_DOCS=1 npm test -- test/client/types.spec.ts writes it.
/* eslint-disable */
`;

/** Lines that say nothing: any reply has header fields, and no call takes cookies. They double the file. */
const NOISE = [
  / *headers: \{\n *\[name: string\]: unknown;\n *\};\n/g,
  / *(headers?|cookie|content|pathItems|responses|parameters|requestBodies)\?: never;\n/g,
  / *(responses|parameters|requestBodies|headers|pathItems): never;\n/g,
];

/**
 * The types of the client: an entry of `routes` for each call, and the schemas of bodies and replies.
 *
 * @param document the OpenAPI document of all strategies.
 * @returns the source text of src/client/specification.data.ts.
 */
export async function clientTypes(document) {
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })),
  );
  const nodes = await openapiTS(successfulReplies(document));
  // `paths` lists the same operations again, with many lines for the methods that a path lacks.
  const used = nodes.filter((node) => ['components', 'operations'].includes(node.name?.text));
  const routes = calls
    .map(({ path, method, operation }) => ({ route: `${method.toUpperCase()} ${path}`, operation }))
    .toSorted((a, b) => (a.route < b.route ? -1 : 1))
    .map(
      ({ route, operation: { summary, operationId } }) =>
        `    /** ${summary} */\n    "${route}": operations["${operationId}"];`,
    );
  return `${HEADER}
export interface routes {
${routes.join('\n')}
}

export type ProblemCode = components["schemas"]["Problem"]["code"];

${NOISE.reduce((text, noise) => text.replaceAll(noise, ''), astToString(used)).replace('export interface operations', 'interface operations')}`;
}

/** Every call can answer with a problem, which the client throws. Headers and examples are not part of the types. */
function successfulReplies(document) {
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, withSuccess(operation)])),
    ]),
  );
  const schemas = Object.fromEntries(
    Object.entries(document.components.schemas).map(([name, { examples: _examples, ...schema }]) => [
      name,
      schema,
    ]),
  );
  return { ...document, paths, components: { ...document.components, schemas } };
}

function withSuccess(operation) {
  const responses = Object.fromEntries(
    Object.entries(operation.responses)
      .filter(([status]) => status.startsWith('2'))
      .map(([status, { headers: _headers, ...response }]) => [status, withoutExamples(response)]),
  );
  const { requestBody } = operation;
  return { ...operation, responses, ...(requestBody && { requestBody: withoutExamples(requestBody) }) };
}

function withoutExamples({ content, ...message }) {
  if (!content) return message;
  const media = Object.entries(content).map(([type, { schema }]) => [type, { schema }]);
  return { ...message, content: Object.fromEntries(media) };
}
