import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { type Permission, PERMISSIONS } from '../services/permissions.js';
import { isClientName, ServiceClients } from '../services/service-clients.service.js';
import type { Database } from '../platform/database/database.js';
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

/** `traffy clients`: the services that can introspect and revoke tokens. */
export function addClientsCommand(program: Command, { config }: CommandContext): void {
  const run = (work: (clients: ServiceClients) => Promise<void>) =>
    withDatabase(config(), (database: Database) => work(new ServiceClients(database)));
  const clients = program
    .command('clients')
    .description('services that may call POST /introspect and POST /revoke');
  clients
    .command('add')
    .description('create a client and show its secret once')
    .addArgument(
      new Argument('<name>', 'lower-case letters, digits, and . _ - between them').argParser(readName),
    )
    .addOption(new Option('--only <permission>', 'grant only this permission, not both').choices(PERMISSIONS))
    .addOption(jsonOption())
    .action((name: string, options: AddOptions) => run((all) => add(all, name, options)));
  clients
    .command('list')
    .description('list all clients, without secrets')
    .addOption(jsonOption())
    .action((options: Output) => run((all) => list(all, options)));
  clients
    .command('remove')
    .description('remove a client; it is refused immediately')
    .argument('<name or id>')
    .addOption(jsonOption())
    .action((nameOrId: string, options: Output) => run((all) => remove(all, nameOrId, options)));
}

function readName(name: string): string {
  if (isClientName(name)) return name;
  throw new InvalidArgumentError(
    'Expected 1 to 64 lower-case letters and digits, with . _ - between them, and not a UUID.',
  );
}

async function add(clients: ServiceClients, name: string, options: AddOptions): Promise<void> {
  const client = await clients.add(name, options.only === undefined ? PERMISSIONS : [options.only]);
  if (!client)
    throw new CommandProblem(`a service client ${name} already exists; remove it or choose another name`);
  const { id, secret, permissions } = client;
  print(
    options,
    { client_id: id, client_secret: secret, name, permissions },
    `client_id      ${id}\nclient_secret  ${secret}\nSave the secret now: it is not shown again. Permissions: ${permissions.join(', ')}.`,
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
  if (!removed) throw new CommandProblem(`no service client is named ${JSON.stringify(nameOrId)}`);
  const { id, name } = removed;
  print(options, { removed: { client_id: id, name } }, `The service client ${name} (${id}) was removed.`);
}
