import { type DynamicModule, Module } from '@nestjs/common';
import { Database } from './database.js';

/** The open database, for every module. Whoever opened it closes it, after the application. */
@Module({})
export class DatabaseModule {
  static forRoot(database: Database): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: Database, useValue: database }],
      exports: [Database],
    };
  }
}
