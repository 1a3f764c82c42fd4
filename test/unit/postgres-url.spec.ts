import { describe, expect, it } from '@jest/globals';
import { readPostgresUrl } from '../../config/postgres-url.config.js';

const SAFE = { rejectUnauthorized: false };

describe('a database URL', () => {
  it.each([
    ['one host', 'postgres://u:p%40ss@db:5433/traffy', [{ url: 'postgres://u:p%40ss@db:5433/traffy' }]],
    [
      'several hosts, IPv6 among them',
      'postgresql://u:p@a,[::1]:5433,c:5434/traffy?target_session_attrs=read-write',
      [
        { url: 'postgres://u:p@a/traffy' },
        { url: 'postgres://u:p@[::1]:5433/traffy' },
        { url: 'postgres://u:p@c:5434/traffy' },
      ],
    ],
    [
      'sslmode=prefer: encrypted first',
      'postgres://db/traffy?sslmode=prefer',
      [
        { url: 'postgres://db/traffy', ssl: SAFE },
        { url: 'postgres://db/traffy', ssl: false },
      ],
    ],
    [
      'sslmode=allow: encrypted last',
      'postgres://db/traffy?sslmode=allow',
      [
        { url: 'postgres://db/traffy', ssl: false },
        { url: 'postgres://db/traffy', ssl: SAFE },
      ],
    ],
    [
      'sslmode=verify-full, left to the driver',
      'postgres://db/traffy?sslmode=verify-full&sslrootcert=%2Fca.pem',
      [{ url: 'postgres://db/traffy?sslmode=verify-full&sslrootcert=%2Fca.pem' }],
    ],
  ])('with %s names its targets in order', (_what, text, targets) => {
    expect(readPostgresUrl(text)).toMatchObject({ targets, database: 'traffy' });
  });

  it.each([
    ['schema=app', 'app'],
    ['search_path=app', 'app'],
    ['options=-c%20search_path%3Dapp', 'app'],
    ['options=-c+search_path%3Dapp,public', 'app'],
    ['options=--search_path%3D%22Odd%22', 'Odd'],
    ['options=-c%20work_mem%3D8MB', null],
    ['options=-c%20search_path%3D$user,public', null],
    ['', null],
  ])('with ?%s has the schema %s', (query, schema) => {
    expect(readPostgresUrl(`postgres://db/traffy?${query}`)).toMatchObject({ schema });
  });

  it.each([
    ['?scheme=app', /the parameter scheme is unknown/],
    ['?target_session_attrs=standby', /target_session_attrs must be/],
    ['?sslmode=off', /sslmode must be one of/],
    ['?pgbouncer=true', /the parameter pgbouncer is unknown/],
  ])('with %s is refused with the reason', (query, reason) => {
    expect(readPostgresUrl(`postgres://db/traffy${query}`)).toMatch(reason);
  });
});
