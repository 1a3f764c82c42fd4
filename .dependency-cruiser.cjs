/** Who may import whom: the arrows of ARCHITECTURE.md. Type-only imports count. */
const feature = '^src/(auth|users)/';
const basis =
  '^src/(http|problems|throttle|logging|database|docs|health|verify|vectors|secrets|mail|audit|sweep)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'config-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^config/' },
      to: { path: '^(src|test)/' },
    },
    {
      name: 'users-do-not-know-auth',
      severity: 'error',
      from: { path: '^src/users/' },
      to: { path: '^src/auth/' },
    },
    {
      name: 'the-basis-knows-no-feature',
      severity: 'error',
      from: { path: basis },
      to: { path: feature },
    },
    {
      name: 'strategies-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/auth/strategies/([^/]+)/' },
      to: { path: '^src/auth/strategies/([^/]+)/', pathNot: '^src/auth/strategies/$1/' },
    },
    {
      name: 'only-the-auth-module-knows-all-strategies',
      severity: 'error',
      from: { path: '^src/(?!auth/)' },
      to: { path: '^src/auth/strategies/(session|jwt)/', pathNot: '\\.entity\\.ts$' },
    },
    {
      name: 'the-verifier-stands-alone',
      severity: 'error',
      from: { path: '^src/verify/' },
      to: { path: '^(src/(?!verify/)|config/|node_modules/(?!jose))' },
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
      extensions: ['.ts', '.js', '.mjs'],
    },
  },
};
