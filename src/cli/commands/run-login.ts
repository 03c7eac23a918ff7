/**
 * Checks credentials against the registry, and keeps those that are right.
 *
 * Source: skopeo-login(1), skopeo 1.9.3 as observed.
 */
import { isError, RegistrySyncError } from '../../base/errors.ts';
import { authTarget, storeCredentials } from '../../registry/auth-file-write.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { checkLogin, parseAuthKey, refuseOtherPlaces, storedLogin, type Login } from '../login.ts';
import { Prompt } from '../prompt.ts';
import { createRuntime } from '../runtime.ts';
import type { LOGIN_OPTIONS } from './login-options.ts';

type LoginValues = Values<typeof LOGIN_OPTIONS>;

/** Resolves to the exit code. */
export async function runLogin(
  values: LoginValues,
  io: RunIo,
  [word = '']: readonly string[],
): Promise<number> {
  const { authfile, 'compat-auth-file': compatAuthFile } = values;
  const where = parseAuthKey(word);
  const target = authTarget({ authfile, compatAuthFile }, io.env);
  await refuseOtherPlaces(values['registries-conf'], io.env);
  const stored = await storedLogin(target, where, io.env);
  const say = (text: string): unknown => io.stdout.write(`${text}\n`);
  if (values['get-login']) {
    if (!stored?.username) throw new RegistrySyncError('USAGE', `not logged into ${where.key}`);
    say(stored.username);
    return EXIT.ok;
  }
  const prompt = new Prompt(io);
  const given = { ...values, password: await givenPassword(values, prompt) };
  const runtime = await createRuntime({ ...values, quiet: true, 'retry-times': RETRIES }, io);
  const access = { certDir: values['cert-dir'], tlsVerify: values['tls-verify'] };
  const check = (login: Login): Promise<void> => checkLogin(runtime, where, login, access);

  if (given.username === undefined && given.password === undefined && stored !== undefined) {
    if (stored.isToken) throw tokenStored(where.key);
    say(`Authenticating with existing credentials for ${where.key}`);
    if (await isRight(check(stored))) {
      say(`Existing credentials are valid. Already logged in to ${where.registry}`);
      return EXIT.ok;
    }
    say('Existing credentials are invalid, please enter valid username and password');
  }
  const login = await completed(given, stored?.username, prompt);
  io.secrets.add(login.password);
  await check(login);
  const { username, password: secret } = login;
  const place = await storeCredentials(target, where, { username, secret });
  if (values.verbose) say(`Used:  ${place}`);
  say('Login Succeeded!');
  return EXIT.ok;
}

/** Somebody waits for the answer. */
const RETRIES = 2;

async function givenPassword(
  { username, password, 'password-stdin': isPiped }: LoginValues,
  prompt: Prompt,
): Promise<string | undefined> {
  if (!isPiped) return password;
  if (password !== undefined) {
    throw new RegistrySyncError('USAGE', 'give only one of --password-stdin and --password');
  }
  if (username === undefined) {
    throw new RegistrySyncError('USAGE', '--password-stdin needs --username');
  }
  const piped = await prompt.all();
  if (piped === '')
    throw new RegistrySyncError('USAGE', '--password-stdin: nothing came from stdin');
  return piped;
}

async function completed(
  given: { readonly username?: string | undefined; readonly password?: string | undefined },
  usual: string | undefined,
  prompt: Prompt,
): Promise<Login> {
  const instead = 'give --username and --password-stdin';
  if (given.password === undefined && !prompt.isTerminal) {
    throw new RegistrySyncError('USAGE', `there is no terminal to ask for a password: ${instead}`);
  }
  const question = usual === undefined ? 'Username: ' : `Username (${usual}): `;
  const named = given.username ?? (await prompt.line(question)) ?? '';
  const username = named.trim() || usual;
  if (username === undefined) throw new RegistrySyncError('USAGE', `no user name: ${instead}`);
  const password = given.password ?? (await prompt.secret('Password: ', instead));
  return { username, password };
}

async function isRight(check: Promise<void>): Promise<boolean> {
  try {
    await check;
    return true;
  } catch (error) {
    if (isError(error, 'UNAUTHORIZED')) return false;
    throw error;
  }
}

function tokenStored(key: string): RegistrySyncError {
  const message = `currently logged in to ${key} with an identity token: log out first, or give --username and a password`;
  return new RegistrySyncError('USAGE', message);
}
