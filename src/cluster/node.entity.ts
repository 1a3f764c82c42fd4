import { defineEntity, p } from '@mikro-orm/core';

/** A process that serves on this database, as it last reported. It does not count after 30 s of silence. */
export const NodeSchema = defineEntity({
  name: 'Node',
  tableName: 'nodes',
  properties: {
    id: p.uuid().primary(),
    /** Its AUTH_STRATEGY. */
    strategy: p.text(),
    publicUrl: p.text(),
    audience: p.text(),
    host: p.text(),
    /** Its PORT; null if it is any free one. */
    port: p.integer().nullable(),
    pid: p.integer(),
    version: p.text(),
    startedAt: p.datetime().defaultRaw('now()'),
    seenAt: p.datetime().defaultRaw('now()'),
  },
});

export class Node extends NodeSchema.class {}
NodeSchema.setClass(Node);
