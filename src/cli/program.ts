import { Command, CommanderError } from 'commander';
import { type Config, loadConfig } from '../../config/load.config.js';
import { ENTITIES } from '../entities.js';
import { openDatabase } from '../platform/database/open.database.js';
import { explainStart } from '../start-error.js';
import { addAuditCommand } from './audit.command.js';
import { addClientsCommand } from './clients.command.js';
import { CommandProblem, type CommandContext, jsonOption, type Output, print } from './command.js';
import { isBrokenPipe } from './broken-pipe.js';
import { addKeysCommand } from './keys.command.js';
import { addMailCommand } from './mail.command.js';
import { addOpenApiCommand } from './openapi.command.js';
import { addSessionsCommand } from './sessions.command.js';
import { listSettings } from './settings.js';
import { addStrategyCommand } from './strategy.command.js';
import { addUsersCommand } from './users.command.js';
import { addVectorsCommand } from './vectors.command.js';

/** Exit codes: success, a problem was found, the command line is invalid. */
const EXIT = { fine: 0, problem: 1, misuse: 2 } as const;

/**
 * Runs the command line.
 * @returns the exit code. `serve` keeps running and ends the process itself.
 */
export async function run(args: string[]): Promise<number> {
  const program = new Command('traffy')
    .description('Authentication backend: accounts, sessions, tokens, passkeys and mail links.')
    .exitOverride()
    // Options after a nested command belong to that command.
    .enablePositionalOptions()
    .showHelpAfterError();
  let config: Config | undefined;
  const read = () => (config = loadConfig());
  const context: CommandContext = { config: read };

  program
    .command('serve')
    .description('migrate the database and serve, like npm start')
    .option('--port <port>', 'the port to listen on')
    .option('--force', 'start even if other nodes run an incompatible AUTH_STRATEGY')
    .action(async ({ port, force }: { port?: string; force?: true }) => {
      // Imported late: only this command needs the whole application.
      const { serve } = await import('../server.js');
      await serve([...(port === undefined ? [] : ['--port', port]), ...(force ? ['--force'] : [])]);
    });
  program
    .command('migrate')
    .description('migrate the database schema, then exit')
    .addOption(jsonOption())
    .action((options: Output) => migrate(read(), options));
  program
    .command('config')
    .description('show all settings with their values, without secrets')
    .addOption(jsonOption())
    .action((options: Output) => showConfig(read(), options));
  // One group of commands a line, each in its own file.
  addAuditCommand(program, context);
  addClientsCommand(program, context);
  addKeysCommand(program, context);
  addMailCommand(program, context);
  addOpenApiCommand(program, context);
  addSessionsCommand(program, context);
  addStrategyCommand(program, context);
  addUsersCommand(program, context);
  addVectorsCommand(program);

  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.fine;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.misuse;
    if (isBrokenPipe(error)) return EXIT.fine;
    const message = error instanceof CommandProblem ? error.message : explainStart(error, config);
    process.stderr.write(`traffy: ${message}\n`);
    return EXIT.problem;
  }
}

async function migrate(config: Config, options: Output): Promise<void> {
  const steps: string[] = [];
  const { close } = await openDatabase(config.database, ENTITIES, (step) => steps.push(step));
  await close();
  const migrated = steps.some((step) => step.startsWith('migrating'));
  print(options, { migrated }, migrated ? 'The schema was migrated.' : 'The schema is up to date.');
}

function showConfig(config: Config, options: Output): void {
  const settings = listSettings(config);
  const width = Math.max(...settings.map(({ name }) => name.length));
  print(
    options,
    { settings },
    settings.map(({ name, value }) => `${name.padEnd(width)}  ${value}`).join('\n'),
  );
}
