/** How token fields travel: in the body for `Authorization`, or in cookies that scripts cannot read. */
export type Transport = 'bearer' | 'cookie';
