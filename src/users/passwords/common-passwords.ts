let loading: Promise<ReadonlySet<string>> | undefined;

/**
 * The most common passwords, in lower case: from the million most common of published leaks, all with 15 or more
 * characters (9,728) and the 20,000 most common with 8 to 14.
 */
export function loadCommonPasswords(): Promise<ReadonlySet<string>> {
  loading ??= load();
  return loading;
}

async function load(): Promise<ReadonlySet<string>> {
  const { COMMON_PASSWORDS } = await import('./common-passwords.data.js');
  return new Set(COMMON_PASSWORDS.split('\n'));
}
