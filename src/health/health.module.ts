import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { Readiness } from './readiness.js';

/** How the composition root answers whether the features are ready, and the modules that it asks. */
export interface ReadinessSource extends Required<Pick<FactoryProvider<Readiness>, 'inject' | 'useFactory'>> {
  readonly imports: NonNullable<ModuleMetadata['imports']>;
}

/** Liveness and readiness. Knows no feature: readiness is passed in. */
@Module({})
export class HealthModule {
  static forRoot({ imports, inject, useFactory }: ReadinessSource): DynamicModule {
    return {
      module: HealthModule,
      imports: [TerminusModule.forRoot({ logger: false }), ...imports],
      controllers: [HealthController],
      providers: [{ provide: Readiness, inject, useFactory }],
    };
  }
}
