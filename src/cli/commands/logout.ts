/** `registry-sync logout`: forgets credentials. */
import { defineCommand } from '../command.ts';
import { LOGOUT_OPTIONS } from './login-options.ts';

export const logoutCommand = defineCommand({
  name: 'logout',
  summary: 'Log out of a registry',
  words: { usage: '[REGISTRY]', least: 0, most: 1 },
  options: LOGOUT_OPTIONS,
  examples: [['$0 logout quay.io', 'forget what login kept']],
  load: async () => (await import('./run-logout.ts')).runLogout,
});
