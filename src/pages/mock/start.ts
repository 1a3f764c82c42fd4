/* The script of every page of `npm run dev:pages`: starts the mock, then the page that its address names. */
import './appearance.ts';
import { setupWorker } from 'msw/browser';
import { accountMocks } from './account.mocks.ts';
import { adminMocks } from './admin.mocks.ts';
import { showControls } from './controls.tsx';
import { demonstrate } from './demonstrate.ts';
import { meet } from './refusals.ts';
import { signInMocks } from './sign-in.mocks.ts';
import { handlersOf, type Mocks } from './typed-api.ts';

const PAGES = import.meta.glob('../*/*.page.tsx');

const mocks: Mocks = { ...signInMocks, ...accountMocks, ...adminMocks };
const worker = setupWorker(...handlersOf(mocks, meet));

const name = new URL(import.meta.url).searchParams.get('page') ?? '';
showControls();
// The page calls the API when it starts.
await worker.start({ quiet: true, onUnhandledFrame: 'bypass' });
await PAGES[`../${name}/${name}.page.tsx`]?.();
await demonstrate();
