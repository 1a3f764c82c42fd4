import { defineEntity, p } from '@mikro-orm/core';

/** How far a file of accounts was imported, so that it can be resumed. */
const ImportSchema = defineEntity({
  name: 'Import',
  tableName: 'imports',
  properties: {
    id: p.uuid().primary(),
    fileHash: p.blob().unique('imports_file_hash_key'),
    linesDone: p.bigint('bigint').defaultRaw('0'),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
    finishedAt: p.datetime().nullable(),
  },
});

export class Import extends ImportSchema.class {}
ImportSchema.setClass(Import);
