/** Runs `list-tags`. */
import { RegistrySyncError } from '../../base/errors.ts';
import type { Reference } from '../../image/reference.ts';
import { parseLocation, parseNamed, type ArchiveLocation } from '../../store/location.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { goJson, GoStruct } from '../go-value.ts';
import { Images } from '../open-image.ts';
import { readAccess } from '../options/access.ts';
import { createRuntime } from '../runtime.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { LIST_TAGS_OPTIONS } from './list-tags-options.ts';

type ListTagsValues = Values<typeof LIST_TAGS_OPTIONS>;

/** Resolves to the exit code. */
export async function runListTags(
  values: ListTagsValues,
  io: RunIo,
  [name = '']: readonly string[],
): Promise<number> {
  const listed = await listOf(parseLocation(name), values, io);
  const document = new GoStruct([
    { name: 'Repository', omitEmpty: true, value: listed.repository },
    { name: 'Tags', value: listed.tags },
  ]);
  io.stdout.write(`${goJson(document, { indent: 4, escapeHtml: true })}\n`);
  return EXIT.ok;
}

interface Listed {
  /** `host/path`; empty for an archive. */
  readonly repository: string;
  readonly tags: readonly string[];
}

async function listOf(
  location: ReturnType<typeof parseLocation>,
  values: ListTagsValues,
  io: RunIo,
): Promise<Listed> {
  switch (location.transport) {
    case 'docker':
      return listRepository(location.reference, values, io);
    case 'docker-archive':
      return listImages(location, values, io);
    default: {
      const message = `${location.transport}: has no list of tags: docker:// and docker-archive: do`;
      throw new RegistrySyncError('USAGE', message);
    }
  }
}

async function listRepository(
  reference: Reference,
  values: ListTagsValues,
  io: RunIo,
): Promise<Listed> {
  if (reference.tag !== undefined || reference.digest !== undefined) {
    const message = 'list-tags takes a repository: leave out the tag or digest';
    throw new RegistrySyncError('USAGE', message);
  }
  const runtime = await createRuntime({ ...values, quiet: true }, io);
  const images = new Images({ runtime, access: readAccess(values, ''), variables: 'SOURCE' });
  const tags: string[] = [];
  const repository = images.repository(reference);
  for await (const tag of repository.tags(io.shutdown.signal)) tags.push(tag);
  return { repository: `${reference.registry}/${reference.path}`, tags };
}

async function listImages(
  { path }: ArchiveLocation,
  values: ListTagsValues,
  io: RunIo,
): Promise<Listed> {
  const { listArchive } = await import('../../store/docker-archive-source.ts');
  const settings = { tmpdir: temporaryDirectory(values.tmpdir, io.env), env: io.env };
  const images = await listArchive(path, settings, io.shutdown.signal);
  const tags = images.flatMap(({ index, tags: names }) =>
    names.length > 0 ? names.map(inFull) : [`@${index}`],
  );
  return { repository: '', tags };
}

/** `redis:7` as `docker.io/library/redis:7`. */
function inFull(text: string): string {
  const reference = parseNamed(text);
  if (reference === undefined) return text;
  return `${reference.registry}/${reference.path}:${reference.tag ?? 'latest'}`;
}
