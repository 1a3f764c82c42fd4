import type { Command } from 'commander';
import type { CommandContext } from './command.js';
import { addUserAdministration } from './user-administration.command.js';
import { addUserTransfer } from './users-transfer.command.js';

/** `traffy users`: accounts, one by one and in bulk. */
export function addUsersCommand(program: Command, context: CommandContext): void {
  const users = program
    .command('users')
    .description('manage accounts: administrators, disable, reset, import, export');
  addUserAdministration(users, context);
  addUserTransfer(users, context);
}
