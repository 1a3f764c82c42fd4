/**
 * The arrows of ARCHITECTURE.md: who may import whom. Type-only imports count. Rooms are listed from the bottom up, and
 * a room imports only rooms that stand before it.
 */
const ROOMS = [
  'texts',
  'client',
  'pages',
  'platform/problems',
  'platform/http',
  'platform/logging',
  'platform/database',
  'platform/secrets',
  'platform/retention',
  'platform/throttle',
  'platform/docs',
  'platform/fastify',
  'audit',
  'mail',
  'users',
  'health',
  'verify',
  'vectors',
  'auth/revocation',
  'auth/lockout',
  'auth/keys',
  'auth/sessions',
  'auth/assurance',
  'auth/containment',
  // Below the strategies: their contract, and all that works for any of them. Whatever a strategy brings may use it.
  'auth/credentials',
  'auth/strategies',
  'auth/factors',
  'auth/sign-in',
  'cluster',
  'services',
  'account',
  'admin',
  'site',
  'cli',
];

/** Rooms that are packages of their own: they import nothing of the rest, and only the dependencies named here. */
const PACKAGES = { client: [], verify: ['jose'] };
/** Rooms that run in browsers, on top of the client. */
const IN_BROWSERS = ['client', 'pages'];

const pathOf = (room) => `^src/${room}/`;
const upwards = ROOMS.slice(0, -1).map((room, index) => ({
  name: `${room.replace('/', '-')}-imports-no-room-above`,
  severity: 'error',
  from: { path: pathOf(room) },
  to: { path: ROOMS.slice(index + 1).map(pathOf) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-file-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-folder-cycles',
      severity: 'error',
      scope: 'folder',
      from: { path: '^src/' },
      to: { circular: true },
    },
    ...upwards,
    {
      name: 'every-file-is-in-a-room',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [...ROOMS.map(pathOf), '^src/[^/]+\\.ts$', '^src/auth/auth\\.module\\.ts$'],
      },
      to: {},
    },
    {
      name: 'config-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^config/' },
      to: { path: '^(src|test)/' },
    },
    {
      name: 'migrations-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/platform/database/migrations/' },
      to: { path: '^(src|config|test)/' },
    },
    {
      name: 'strategies-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/auth/strategies/([^/]+)/' },
      to: { path: '^src/auth/strategies/([^/]+)/', pathNot: '^src/auth/strategies/$1/' },
    },
    ...Object.entries(PACKAGES).map(([room, dependencies]) => ({
      name: `${room}-is-a-package`,
      severity: 'error',
      from: { path: pathOf(room) },
      to: {
        path: `^(src/(?!${room}/)|config/|node_modules/)`,
        pathNot: dependencies.map((name) => `^node_modules/${name}/`),
      },
    })),
    {
      name: 'the-server-does-not-use-the-client',
      severity: 'error',
      from: { path: '^(src|config)/', pathNot: IN_BROWSERS.map(pathOf) },
      to: { path: pathOf('client') },
    },
    {
      name: 'pages-know-the-client-and-the-texts-alone',
      severity: 'error',
      from: { path: pathOf('pages') },
      to: { path: '^(src/(?!(pages|client|texts)/)|config/)' },
    },
    {
      name: 'the-server-does-not-use-the-pages',
      severity: 'error',
      from: { path: '^(src|config)/', pathNot: pathOf('pages') },
      to: { path: pathOf('pages') },
    },
    {
      name: 'only-the-starters-know-the-composition-root',
      severity: 'error',
      from: { path: '^src/(?!cli/|(main|server|app\\.module|app\\.factory)\\.ts$)' },
      to: { path: '^src/(main|server|app\\.module|app\\.factory)\\.ts$' },
    },
    {
      name: 'nothing-of-ours-imports-tests',
      severity: 'error',
      from: { path: '^(src|config)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs'],
    },
  },
};
