import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '../../config/load.config.js';
export async function serveDocs(_app: NestFastifyApplication, _config: Config): Promise<void> {}
