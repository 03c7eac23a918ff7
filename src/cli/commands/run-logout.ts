/**
 * Forgets credentials.
 *
 * Source: skopeo-logout(1), skopeo 1.9.3 as observed.
 */
import { RegistrySyncError } from '../../base/errors.ts';
import { readAuthFile } from '../../registry/auth-file.ts';
import { authTarget, eraseAll, eraseCredentials } from '../../registry/auth-file-write.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { checkLogin, parseAuthKey, refuseOtherPlaces, storedLogin } from '../login.ts';
import { createRuntime } from '../runtime.ts';
import type { LOGOUT_OPTIONS } from './login-options.ts';

type LogoutValues = Values<typeof LOGOUT_OPTIONS>;

/** Resolves to the exit code. */
export async function runLogout(
  values: LogoutValues,
  io: RunIo,
  words: readonly string[],
): Promise<number> {
  const { authfile, 'compat-auth-file': compatAuthFile } = values;
  const target = authTarget({ authfile, compatAuthFile }, io.env);
  await refuseOtherPlaces(values['registries-conf'], io.env);
  const named = authfile ?? compatAuthFile;
  if (named !== undefined && readAuthFile(named) === undefined) {
    throw new RegistrySyncError('USAGE', `there is no auth file ${named}`);
  }
  const [word] = words;
  if (values.all) {
    if (word !== undefined) throw new RegistrySyncError('USAGE', '--all takes no arguments');
    await eraseAll(target);
    io.stdout.write('Removed login credentials for all registries\n');
    return EXIT.ok;
  }
  if (word === undefined) {
    throw new RegistrySyncError('USAGE', 'please provide a registry to logout from, or --all');
  }
  const where = parseAuthKey(word);
  if (await eraseCredentials(target, where)) {
    io.stdout.write(`Removed login credentials for ${where.key}\n`);
    return EXIT.ok;
  }
  const stored = await storedLogin(target, where, io.env);
  const runtime = await createRuntime({ ...values, quiet: true, 'retry-times': 0 }, io);
  const access = { tlsVerify: values['tls-verify'] };
  const isElsewhere =
    stored !== undefined &&
    !stored.isToken &&
    (await checkLogin(runtime, where, stored, access).then(
      () => true,
      () => false,
    ));
  if (!isElsewhere) throw new RegistrySyncError('USAGE', `not logged into ${where.key}`);
  io.stdout.write(
    `Not logged into ${where.key} with current tool. Existing credentials were established via docker login. Please use docker logout instead.\n`,
  );
  return EXIT.ok;
}
