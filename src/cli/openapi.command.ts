import { type Command, InvalidArgumentError } from 'commander';
import { authSettings } from '../../config/auth.config.js';
import { type CommandContext, jsonOption, type Output, print } from './command.js';
import type { DescribedStrategies } from './describe-api.js';

/** `traffy openapi`: prints the API specification. Needs no database. */
export function addOpenApiCommand(program: Command, context: CommandContext): void {
  program
    .command('openapi')
    .description('print the OpenAPI document, for generators of clients')
    .option(
      '--strategy <value>',
      'all for the union of all strategies, or a value of AUTH_STRATEGY; without it, the configured one',
      parseStrategies,
    )
    .addOption(jsonOption())
    .action(async ({ strategy, ...output }: Output & { strategy?: DescribedStrategies }) => {
      const config = context.config();
      // Imported late: only this command needs Swagger and all modules.
      const { describeApi } = await import('./describe-api.js');
      const document = await describeApi(config, strategy ?? config.auth.AUTH_STRATEGY);
      print(output, document, JSON.stringify(document, null, 2));
    });
}

function parseStrategies(text: string): DescribedStrategies {
  if (text === 'all') return 'all';
  const { success, data, error } = authSettings.AUTH_STRATEGY.schema.safeParse(text);
  if (success) return data;
  throw new InvalidArgumentError(
    `Allowed are all, or ${error.issues.map(({ message }) => message).join('; ')}.`,
  );
}
