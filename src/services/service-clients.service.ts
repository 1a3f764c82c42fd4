import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { NIL, v7 as uuidv7, validate as isUuid } from 'uuid';
import { recordEvent } from '../audit/audit.service.js';
import type { Columns } from '../platform/database/columns.js';
import { Database, type Queries } from '../platform/database/database.js';
import { createToken, hashToken } from '../auth/credentials/opaque-token.js';
import type { Permission } from './permissions.js';
import type { ServicesTables } from './services.tables.js';

/** An authenticated service client. */
export interface ServiceClientInfo {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
}

export interface ServiceClientListing extends ServiceClientInfo {
  readonly createdAt: Date;
}

/** A new client: the only time that its secret is available. */
export interface NewServiceClient extends ServiceClientInfo {
  readonly secret: string;
}

const PREFIX = 'trf_cs_';
/** Lower case, so that no two names look alike, and no character is special to a shell or a log. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
/** A hash that no secret matches. */
const NO_HASH = Buffer.alloc(32);

/** Whether a text is a valid client name. A UUID is not: ids and names are looked up alike. */
export function isClientName(name: string): boolean {
  return NAME.test(name) && !isUuid(name);
}

/** Services that can introspect and revoke tokens. Their `id` is the `client_id`. */
@Injectable()
export class ServiceClients {
  constructor(private readonly database: Database) {}

  /** Creates a client with a random secret; null if the name is taken. */
  async add(name: string, permissions: readonly Permission[]): Promise<NewServiceClient | null> {
    const secret = createToken(PREFIX);
    return this.database.transaction(async (tx) => {
      const row = await tx
        .of<ServicesTables>()
        .insertInto('service_clients')
        .values({ id: uuidv7(), name, secret_hash: hashToken(secret), permissions: [...permissions] })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .returning(['id', 'name', 'permissions'])
        .executeTakeFirst();
      if (row) await recordChange(tx, 'client_added', row);
      return row ? { ...row, secret } : null;
    });
  }

  /** Every client, by name. */
  async list(): Promise<ServiceClientListing[]> {
    return this.database
      .of<ServicesTables>()
      .selectFrom('service_clients')
      .select(['id', 'name', 'permissions', 'created_at as createdAt'])
      .orderBy('name')
      .execute();
  }

  /** Removes a client by name or id; it is unknown everywhere from then on. Null if it does not exist. */
  async remove(nameOrId: string): Promise<ServiceClientInfo | null> {
    return this.database.transaction(async (tx) => {
      const row = await tx
        .of<ServicesTables>()
        .deleteFrom('service_clients')
        .where(isUuid(nameOrId) ? 'id' : 'name', '=', nameOrId)
        .returning(['id', 'name', 'permissions'])
        .executeTakeFirst();
      if (row) await recordChange(tx, 'client_removed', row);
      return row ?? null;
    });
  }

  /**
   * The client with this id and secret; null otherwise. An unknown id costs the same as a wrong secret: one query,
   * one hash and one comparison.
   */
  async verify(id: string, secret: string): Promise<ServiceClientInfo | null> {
    const [row] = await this.database.query(
      sql<
        Columns<ServicesTables, 'service_clients', 'id' | 'name' | 'permissions' | 'secret_hash'>
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
  { id, name, permissions }: ServiceClientInfo,
): Promise<void> {
  const details = { client_id: id, name, permissions };
  return recordEvent(tx, { kind, userId: null, actor: 'operator', details });
}
