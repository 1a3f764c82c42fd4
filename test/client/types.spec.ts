import { describe, expect, it } from '@jest/globals';
// @ts-expect-error -- a tool in plain JavaScript
import { clientTypes } from '../../tools/packages/client-types.mjs';
import { loadConfig } from '../../config/load.config.js';
import { describeApi } from '../../src/cli/describe-api.js';
import { TEST_SECRET } from '../support/app.js';
import { generatedDocument } from '../support/documents.js';
import { onServer } from '../support/database.js';

// No database takes part.
(onServer ? describe.skip : describe)('the types of the client', () => {
  it('are those of the specification of all strategies (UPDATE_DOCS=1 writes them)', async () => {
    const config = loadConfig({ APP_ENV: 'test', AUTH_SECRETS: TEST_SECRET });
    const expected = await clientTypes(await describeApi(config, 'all'));
    expect(expected).toContain('"POST /refresh": operations["refresh"]');
    expect(generatedDocument('src/client/specification.data.ts', expected)).toBe(expected);
  });
});
