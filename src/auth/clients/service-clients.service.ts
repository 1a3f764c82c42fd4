import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { NIL, v7 as uuidv7, validate as isUuid } from 'uuid';
import { recordEvent } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import { createToken, hashToken } from '../strategies/opaque-token.js';

/** What a service client may do: ask about tokens (RFC 7662), or revoke them (RFC 7009). */
export const PERMISSIONS = ['introspect', 'revoke'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** A service that authenticated itself. */
export interface ServiceClientInfo {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
}

export interface ServiceClientListing extends ServiceClientInfo {
  readonly createdAt: Date;
}

/** A client as it was just made: the only time that its secret is there to be shown. */
export interface NewServiceClient extends ServiceClientInfo {
  readonly secret: string;
}

interface ClientRow {
  id: string;
  name: string;
  permissions: Permission[];
}

const PREFIX = 'trf_cs_';
/** Lower case, so that no two names look alike, and nothing that a shell or a log reads as its own. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
/** Nobody knows what it is the hash of. */
const NO_HASH = Buffer.alloc(32);

/** Whether a service client can be called so. An id is no name: either finds a client. */
export function isClientName(name: string): boolean {
  return NAME.test(name) && !isUuid(name);
}

/** Other services that may ask about tokens and revoke them. Their `id` is the `client_id`. */
@Injectable()
export class ServiceClients {
  constructor(private readonly database: Database) {}

  /** Makes a client with a random secret; null if the name is taken. */
  async add(name: string, permissions: readonly Permission[]): Promise<NewServiceClient | null> {
    const secret = createToken(PREFIX);
    return this.database.transaction(async (tx) => {
      const [row] = await tx.query(
        sql<ClientRow>`insert into service_clients (id, name, secret_hash, permissions)
          values (${uuidv7()}, ${name}, ${hashToken(secret)}, ${[...permissions]})
          on conflict (name) do nothing returning id, name, permissions`,
      );
      if (row) await recordChange(tx, 'client_added', row);
      return row ? { ...row, secret } : null;
    });
  }

  /** Every client, by name. */
  async list(): Promise<ServiceClientListing[]> {
    const rows = await this.database.query(
      sql<
        ClientRow & { created_at: Date | string }
      >`select id, name, permissions, created_at from service_clients order by name`,
    );
    return rows.map(({ created_at: createdAt, ...client }) => ({
      ...client,
      createdAt: new Date(createdAt),
    }));
  }

  /** Removes a client by its name or id; from then on it is unknown everywhere. Null if there is none. */
  async remove(nameOrId: string): Promise<ServiceClientInfo | null> {
    const column = isUuid(nameOrId) ? sql`id` : sql`name`;
    return this.database.transaction(async (tx) => {
      const [row] = await tx.query(
        sql<ClientRow>`delete from service_clients where ${column} = ${nameOrId} returning id, name, permissions`,
      );
      if (row) await recordChange(tx, 'client_removed', row);
      return row ?? null;
    });
  }

  /**
   * The client with this id and secret; null for any other. An unknown id costs what a wrong secret does: one look
   * into the database, one hash and one comparison, whatever is found.
   */
  async verify(id: string, secret: string): Promise<ServiceClientInfo | null> {
    const [row] = await this.database.query(
      sql<
        ClientRow & { secret_hash: Uint8Array }
      >`select id, name, permissions, secret_hash from service_clients where id = ${isUuid(id) ? id : NIL}`,
    );
    const isRight = timingSafeEqual(hashToken(secret), row?.secret_hash ?? NO_HASH);
    if (!row || !isRight) return null;
    const { name, permissions } = row;
    return { id: row.id, name, permissions };
  }
}

/** Only the command line adds and removes clients. */
function recordChange(
  tx: Queries,
  kind: 'client_added' | 'client_removed',
  { id, name, permissions }: ClientRow,
): Promise<void> {
  const details = { client_id: id, name, permissions };
  return recordEvent(tx, { kind, userId: null, actor: 'operator', details });
}
