/**
 * Every suite runs on the embedded database, and, where TEST_DATABASE_URL names a PostgreSQL server, on that one
 * too (with TEST_REDIS_URL also on Redis).
 */
const { TEST_DATABASE_URL, TEST_REDIS_URL } = process.env;

const project = {
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  // `npm run test:system`: what needs programs that npm does not install.
  testPathIgnorePatterns: ['/node_modules/', '/test/system/'],
  testEnvironment: 'node',
  // Peers are programs of their own, with packages that no test loads.
  modulePathIgnorePatterns: ['<rootDir>/test/bench/peers/'],
  setupFiles: ['<rootDir>/test/support/load-nest-first.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true, dynamicImport: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};

const embedded = { ...project, displayName: 'embedded', globals: { testServers: {} } };
const servers = {
  ...project,
  // Specs without a database run in the embedded project only.
  testPathIgnorePatterns: [
    ...project.testPathIgnorePatterns,
    '/test/config/',
    '/test/unit/',
    '/(requirements|rooms|table-writers|third-strategy)\\.spec\\.ts$',
  ],
  displayName: 'postgresql',
  globals: { testServers: { databaseUrl: TEST_DATABASE_URL, redisUrl: TEST_REDIS_URL } },
};

export default {
  // Absolute: test/system has another root.
  globalSetup: `${import.meta.dirname}/test/support/build.mjs`,
  projects: TEST_DATABASE_URL ? [embedded, servers] : [embedded],
  testTimeout: 180_000,
  // One more than the cores of a small machine: much of a run is waiting.
  maxWorkers: 3,
  // A worker keeps something of each file that it ran, and gets slower by it: one with much is replaced.
  workerIdleMemoryLimit: '1GB',
};
