import { buildOnce } from '../../src/cli/build.mjs';

/** Pages are served as they are built, and programs run as they are built. */
export default () => buildOnce(() => undefined);
