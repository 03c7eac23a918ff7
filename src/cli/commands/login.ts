/** `registry-sync login`: checks credentials and keeps them. */
import { defineCommand } from '../command.ts';
import { LOGIN_OPTIONS } from './login-options.ts';

export const loginCommand = defineCommand({
  name: 'login',
  summary: 'Log in to a registry',
  words: { usage: 'REGISTRY', least: 1, most: 1 },
  options: LOGIN_OPTIONS,
  examples: [
    ['$0 login -u USER --password-stdin quay.io < password', 'the password from a file'],
    ['$0 login --get-login quay.io', 'who am I there?'],
  ],
  load: async () => (await import('./run-login.ts')).runLogin,
});
