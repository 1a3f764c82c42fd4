/** The project's Jest on the instrumented copy, one spec at a time, on embedded databases. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SANDBOX } from './paths.mjs';

const { default: own } = await import(pathToFileURL(join(SANDBOX, 'jest.config.mjs')).href);
const embedded = own.projects.find(({ displayName }) => displayName === 'embedded');

export default {
  ...embedded,
  testTimeout: own.testTimeout,
  testEnvironment: join(import.meta.dirname, 'environment.mjs'),
};
