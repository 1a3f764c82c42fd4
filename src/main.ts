/** The oldest Node.js that MikroORM and the embedded database's lock run on. */
const OLDEST = [22, 17] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `Traffy cannot start: it needs Node.js ${OLDEST.join('.')} or newer, this is ${process.versions.node}. ` +
      'In a clone, npm start brings its own.\n',
  );
  process.exitCode = 1;
} else {
  // Only now: the modules behind it do not load on an older one.
  const { serve } = await import('./server.js');
  await serve(process.argv.slice(2));
}
