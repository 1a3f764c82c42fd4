import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { addAuthenticator, expectClean } from '../../support/browser.js';
import { sendSignIn, signInOn, SINGLE_STRATEGIES, usePages } from './site.js';
import { PASSWORD } from '../../support/strategies.js';

interface Calls {
  readonly get: { readonly mediation?: string; readonly isAborted: boolean }[];
  readonly create: { readonly mediation?: string; readonly user: string }[];
  readonly accepted: { rpId: string; userId: string; allAcceptedCredentialIds: string[] }[];
  readonly details: { rpId: string; userId: string; name: string; displayName: string }[];
}

/**
 * Headless Chromium has no autofill, no password manager and so no conditional create, and nothing that takes signals.
 * This records the arguments of these calls: conditional ones stay open, as for a person who does not choose.
 */
async function recordCalls(page: Page): Promise<() => Promise<Calls>> {
  await page.addInitScript(() => {
    const none: object[] = [];
    const calls = { get: [...none], create: [...none], accepted: [...none], details: [...none] };
    const window = globalThis as unknown as { calls: typeof calls };
    window.calls = calls;
    const credentials = navigator.credentials;
    const get = credentials.get.bind(credentials);
    const create = credentials.create.bind(credentials);
    const opened = (signal?: AbortSignal | null) =>
      new Promise<null>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
    credentials.get = (options) => {
      const { mediation, signal } = options ?? {};
      const call = { mediation, isAborted: false };
      calls.get.push(call);
      signal?.addEventListener('abort', () => (call.isAborted = true));
      return mediation === 'conditional' ? opened(signal) : get(options);
    };
    credentials.create = (options) => {
      const { mediation, publicKey, signal } = options as CredentialCreationOptions & { mediation?: string };
      calls.create.push({ mediation, user: publicKey?.user.name });
      return mediation === 'conditional' ? opened(signal) : create(options);
    };
    Object.assign(PublicKeyCredential, {
      isConditionalMediationAvailable: async () => true,
      getClientCapabilities: async () => ({ conditionalCreate: true }),
      signalAllAcceptedCredentials: async (options: object) => void calls.accepted.push(options),
      signalCurrentUserDetails: async (options: object) => void calls.details.push(options),
    });
  });
  return () => page.evaluate(() => (globalThis as unknown as { calls: Calls }).calls);
}

describe.each(SINGLE_STRATEGIES)('passkeys on the pages with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  const pages = usePages({ env: { AUTH_STRATEGY: strategy } });

  it('are added, sign in, prove the user at step-up, are renamed and removed', async () => {
    const watched = await pages.open();
    const { page, context } = watched;
    const authenticator = await addAuthenticator(page);
    const calls = await recordCalls(page);
    const email = await signInOn(pages, page);
    const section = page.locator('#passkeys');
    await section.getByText('You have no passkeys.').waitFor();
    await section.getByRole('button', { name: 'Add a passkey' }).click();
    await section.getByText('The passkey is added.').waitFor();
    expect(await section.getByRole('listitem').innerText()).toContain('never used');
    await section.getByRole('button', { name: 'Add a passkey' }).click();
    await section.getByText('This device already has a passkey').waitFor();
    expect(await authenticator.count()).toBe(1);

    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL(`${pages.origin}/account`);
    await page.locator('#email').getByText(email).waitFor();
    expect(await section.getByRole('listitem').innerText()).toContain('last used');

    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await sendSignIn(page, email);
    await page.getByRole('heading', { name: 'Two-step verification' }).waitFor();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL(`${pages.origin}/account`);
    expect(watched.requests).toContain(`${pages.origin}/mfa`);

    await pages.app.query(sql`update sessions set authenticated_at = now() - interval '1 hour'`);
    await section.getByRole('button', { name: 'Rename' }).click();
    const dialog = page.getByRole('dialog', { name: /^Rename “/ });
    await dialog.getByLabel('Name').fill('Blue key');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    const proof = page.getByRole('dialog', { name: "Confirm it's you" });
    await section.getByText('Blue key').or(proof).first().waitFor();
    if (await proof.isVisible()) await proof.getByRole('button', { name: 'Confirm with a passkey' }).click();
    await section.getByText('Blue key').waitFor();

    const before = (await calls()).accepted.at(-1);
    expect(before).toEqual({
      rpId: 'localhost',
      userId: expect.any(String),
      allAcceptedCredentialIds: [expect.any(String)],
    });
    const { rpId, userId } = before ?? {};
    expect((await calls()).details.at(-1)).toEqual({ rpId, userId, name: email, displayName: email });
    await section.getByRole('button', { name: 'Remove' }).click();
    const question = page.getByRole('dialog', { name: 'Remove passkey “Blue key”?' });
    await question.getByRole('button', { name: 'Remove' }).click();
    await section.getByText('The passkey is removed.').or(proof).first().waitFor();
    if (await proof.isVisible()) await proof.getByRole('button', { name: 'Confirm with a passkey' }).click();
    await section.getByText('The passkey is removed.').waitFor();
    expect(watched.requests).toContain(`${pages.origin}/reauthenticate`);
    expect((await calls()).accepted.at(-1)).toEqual({ ...before, allAcceptedCredentialIds: [] });

    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByText("That passkey didn't work. Use another way.").waitFor();
    expectClean(watched, [401, 403]);
    await watched.close();
  });

  it('are offered in the address field, aborted before every other way, and offered again', async () => {
    const watched = await pages.open();
    const { page } = watched;
    const calls = await recordCalls(page);
    await page.goto(`${pages.origin}/login`);
    const offers = async (count: number) => {
      await page.waitForFunction(
        (wanted) => (globalThis as unknown as { calls: Calls }).calls.get.length === wanted,
        count,
      );
      return (await calls()).get;
    };
    expect(await page.getAttribute('[name=email]', 'autocomplete')).toBe('username webauthn');
    expect(await offers(1)).toEqual([{ mediation: 'conditional', isAborted: false }]);
    await sendSignIn(page, 'ada@example.com', 'a wrong passphrase');
    await page.getByText('Incorrect e-mail address or password.').waitFor();
    expect(await offers(2)).toEqual([
      { mediation: 'conditional', isAborted: true },
      { mediation: 'conditional', isAborted: false },
    ]);
    // There is no authenticator: the button fails as after a cancel.
    const authenticator = await addAuthenticator(page);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByText('No passkey was used. Try again or use your password.').waitFor();
    const all = await offers(4);
    expect(all.map(({ mediation }) => mediation)).toEqual([
      'conditional',
      'conditional',
      undefined,
      'conditional',
    ]);
    expect(all[1]?.isAborted).toBe(true);
    expect(all[3]?.isAborted).toBe(false);
    await authenticator.remove();
    expectClean(watched, [401]);
    await watched.close();
  });

  it('are created without a prompt after a sign-in with a password, which does not wait for it', async () => {
    const watched = await pages.open();
    const { page, context } = watched;
    const calls = await recordCalls(page);
    const email = await signInOn(pages, page);
    await page.getByText('This device').waitFor();
    await context.clearCookies();
    await page.goto(`${pages.origin}/login`);
    const [options] = await Promise.all([
      page.waitForRequest('**/passkeys/registration/options'),
      sendSignIn(page, email),
    ]);
    // Without it, the server refuses a passkey that was made without the presence of the user.
    expect(options.postDataJSON()).toEqual({ conditional: true });
    await page.waitForFunction(() => (globalThis as unknown as { calls: Calls }).calls.create.length === 1);
    expect((await calls()).create).toEqual([{ mediation: 'conditional', user: email }]);
    // The stub never answers, as a password manager that is slow.
    await page.waitForURL(`${pages.origin}/account`);
    expectClean(watched);
    await watched.close();
  });

  it('explain where they work if the host name differs', async () => {
    const watched = await pages.open();
    const { page } = watched;
    await page.goto(`${pages.origin.replace('localhost', '127.0.0.1')}/login`);
    await page.getByText('Passkeys work only at localhost.').waitFor();
    expect(await page.getByRole('button', { name: 'Sign in with a passkey' }).count()).toBe(0);
    await page.fill('[name=password]', PASSWORD);
    expectClean(watched);
    await watched.close();
  });
});
