import type { TestApp } from '../app.js';

/** An application whose database a fact is about. */
export type Queryable = Pick<TestApp, 'query'>;
