/** Runs `delete`. */
import { RegistrySyncError } from '../../base/errors.ts';
import { parseLocation } from '../../store/location.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { Images, versionOf } from '../open-image.ts';
import { readAccess } from '../options/access.ts';
import { createRuntime } from '../runtime.ts';
import type { DELETE_OPTIONS } from './delete-options.ts';

/** Resolves to the exit code. */
export async function runDelete(
  values: Values<typeof DELETE_OPTIONS>,
  io: RunIo,
  [name = '']: readonly string[],
): Promise<number> {
  const location = parseLocation(name);
  if (location.transport !== 'docker') {
    const message = `${location.transport}: images are files of yours: remove them, delete is for docker://`;
    throw new RegistrySyncError('USAGE', message);
  }
  const runtime = await createRuntime({ ...values, quiet: true }, io);
  const images = new Images({ runtime, access: readAccess(values, ''), variables: 'TARGET' });
  const { reference } = location;
  const repository = images.repository(reference);
  const digest = await repository.delete(versionOf(reference), io.shutdown.signal);
  runtime.log.debug({ image: name, digest }, 'image deleted');
  return EXIT.ok;
}
