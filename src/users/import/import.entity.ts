import { defineEntity, p } from '@mikro-orm/core';

/** The progress of the import of a file, so that it can be resumed. */
export const ImportSchema = defineEntity({
  name: 'Import',
  tableName: 'imports',
  properties: {
    id: p.uuid().primary(),
    fileHash: p.blob().$type<Buffer>().unique('imports_file_hash_key'),
    linesDone: p.bigint('number').defaultRaw('0'),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
    finishedAt: p.datetime().nullable(),
  },
});

export class Import extends ImportSchema.class {}
ImportSchema.setClass(Import);
