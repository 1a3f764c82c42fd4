import { Command, CommanderError } from 'commander';
import { type Config, loadConfig } from '../../config/load.config.js';
import { ENTITIES } from '../entities.js';
import { openDatabase } from '../database/open.database.js';
import { explainStart } from '../start-error.js';
import { addAuditCommand } from './audit.command.js';
import { addClientsCommand } from './clients.command.js';
import { CommandProblem, type CommandContext, jsonOption, type Output, print } from './command.js';
import { isReaderGone } from './gone-reader.js';
import { addKeysCommand } from './keys.command.js';
import { addMailCommand } from './mail.command.js';
import { addSessionsCommand } from './sessions.command.js';
import { listSettings } from './settings.js';
import { addStrategyCommand } from './strategy.command.js';
import { addUsersCommand } from './users.command.js';
import { addVectorsCommand } from './vectors.command.js';

/** What a command ends with: fine, a problem was found, the command line was not understood. */
const EXIT = { fine: 0, problem: 1, misuse: 2 } as const;

/**
 * The command line.
 *
 * @returns the exit code. `serve` goes on by itself and ends the process.
 */
export async function run(args: string[]): Promise<number> {
  const program = new Command('traffy')
    .description('Authentication backend: sign-up, sign-in, who am I and sign-out.')
    .exitOverride()
    // So that an option behind a command within a command is of the inner one.
    .enablePositionalOptions()
    .showHelpAfterError();
  let config: Config | undefined;
  const read = () => (config = loadConfig());
  const context: CommandContext = { config: read };

  program
    .command('serve')
    .description('migrate and serve, like npm start')
    .option('--port <port>', 'the port to listen on')
    .option('--force', 'start although other nodes run a value of AUTH_STRATEGY that does not fit')
    .action(async ({ port, force }: { port?: string; force?: true }) => {
      // The whole application: no other command needs it.
      const { serve } = await import('../server.js');
      await serve([...(port === undefined ? [] : ['--port', port]), ...(force ? ['--force'] : [])]);
    });
  program
    .command('migrate')
    .description('bring the schema of the database up to date, and end')
    .addOption(jsonOption())
    .action((options: Output) => migrate(read(), options));
  program
    .command('config')
    .description('show every setting with its value, without secrets')
    .addOption(jsonOption())
    .action((options: Output) => showConfig(read(), options));
  // One line a group of commands, each in a file of its own.
  addAuditCommand(program, context);
  addClientsCommand(program, context);
  addKeysCommand(program, context);
  addMailCommand(program, context);
  addSessionsCommand(program, context);
  addStrategyCommand(program, context);
  addUsersCommand(program, context);
  addVectorsCommand(program);

  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.fine;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.misuse;
    if (isReaderGone(error)) return EXIT.fine;
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
  print(options, { migrated }, migrated ? 'The schema was brought up to date.' : 'The schema is up to date.');
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
