import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import {
  isClientName,
  type Permission,
  PERMISSIONS,
  ServiceClients,
} from '../auth/clients/service-clients.service.js';
import type { Database } from '../database/database.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';

interface AddOptions extends Output {
  readonly only?: Permission;
}

/** `traffy clients`: the services that may ask about tokens and revoke them. */
export function addClientsCommand(program: Command, { config }: CommandContext): void {
  const run = (work: (clients: ServiceClients) => Promise<void>) =>
    withDatabase(config(), (database: Database) => work(new ServiceClients(database)));
  const clients = program
    .command('clients')
    .description('services that may call POST /introspect and POST /revoke');
  clients
    .command('add')
    .description('make a client, and show its secret this once')
    .addArgument(
      new Argument('<name>', 'lower-case letters, digits, and . _ - between them').argParser(readName),
    )
    .addOption(new Option('--only <permission>', 'instead of both').choices(PERMISSIONS))
    .addOption(jsonOption())
    .action((name: string, options: AddOptions) => run((all) => add(all, name, options)));
  clients
    .command('list')
    .description('show every client, without secrets')
    .addOption(jsonOption())
    .action((options: Output) => run((all) => list(all, options)));
  clients
    .command('remove')
    .description('remove a client: at once it is unknown')
    .argument('<name or id>')
    .addOption(jsonOption())
    .action((nameOrId: string, options: Output) => run((all) => remove(all, nameOrId, options)));
}

function readName(name: string): string {
  if (isClientName(name)) return name;
  throw new InvalidArgumentError(
    'It has 1 to 64 lower-case letters and digits, with . _ - between them, and is no UUID.',
  );
}

async function add(clients: ServiceClients, name: string, options: AddOptions): Promise<void> {
  const client = await clients.add(name, options.only === undefined ? PERMISSIONS : [options.only]);
  if (!client)
    throw new CommandProblem(`there is a service client ${name} already; remove it, or choose another name`);
  const { id, secret, permissions } = client;
  print(
    options,
    { client_id: id, client_secret: secret, name, permissions },
    `client_id      ${id}\nclient_secret  ${secret}\nThe secret is not kept and not shown again. It may ${permissions.join(' and ')}.`,
  );
}

async function list(clients: ServiceClients, options: Output): Promise<void> {
  const all = await clients.list();
  print(
    options,
    {
      clients: all.map(({ id, name, permissions, createdAt }) => ({
        client_id: id,
        name,
        permissions,
        created_at: createdAt.toISOString(),
      })),
    },
    all.length === 0
      ? 'There are no service clients.'
      : table(
          ['name', 'client_id', 'may', 'since'],
          all.map(({ id, name, permissions, createdAt }) => [
            name,
            id,
            permissions.join(', '),
            createdAt.toISOString(),
          ]),
        ),
  );
}

async function remove(clients: ServiceClients, nameOrId: string, options: Output): Promise<void> {
  const removed = await clients.remove(nameOrId);
  if (!removed) throw new CommandProblem(`there is no service client ${JSON.stringify(nameOrId)}`);
  const { id, name } = removed;
  print(options, { removed: { client_id: id, name } }, `The service client ${name} (${id}) is removed.`);
}
