/** Runs `inspect`. */
import { isError, RegistrySyncError, withName } from '../../base/errors.ts';
import { instanceFor } from '../../copy/select.ts';
import type { Descriptor } from '../../image/descriptor.ts';
import type { Digest } from '../../image/digest.ts';
import type { StoredManifest } from '../../image/manifest.ts';
import { kindOfMediaType, OCI_CONFIG, OCI_MANIFEST } from '../../image/media-types.ts';
import { schema1Entries } from '../../image/schema1.ts';
import type { ImageSource } from '../../image/source-and-sink.ts';
import { parseLocation, parseNamed, type Location } from '../../store/location.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { isJsonFormat, renderTemplate } from '../go-template.ts';
import { goJson, type GoValue } from '../go-value.ts';
import { configDocument, inspection, readConfig } from '../inspection.ts';
import { Images } from '../open-image.ts';
import { readAccess } from '../options/access.ts';
import { readStore } from '../options/image-access.ts';
import { readMachine } from '../options/machine.ts';
import { openRoot } from '../root-of.ts';
import { createRuntime, type Runtime } from '../runtime.ts';
import type { INSPECT_OPTIONS } from './inspect-options.ts';

type InspectValues = Values<typeof INSPECT_OPTIONS>;

/** Larger configs are not read. Source: containers/image, MaxConfigBodySize. Bytes. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** Resolves to the exit code. */
export async function runInspect(
  values: InspectValues,
  io: RunIo,
  [name = '']: readonly string[],
): Promise<number> {
  const { raw, config, format = '' } = values;
  if (raw && format !== '') {
    throw new RegistrySyncError('USAGE', '--raw is what it is: leave out --format');
  }
  const location = parseLocation(name);
  const runtime = await createRuntime({ ...values, quiet: true }, io);
  const access = readAccess(values, '');
  const store = readStore(values, '');
  const images = new Images({ runtime, access, variables: 'SOURCE', store });
  const { signal } = io.shutdown;
  await using opened = await openRoot(images, location, signal);
  const { source, root } = opened;
  if (raw && !config) {
    io.stdout.write(root.bytes);
    return EXIT.ok;
  }
  const image = await imageOf(source, root, values, signal);
  const bytes = await configOf(source, image, signal);
  if (raw) {
    io.stdout.write(bytes);
    return EXIT.ok;
  }
  checkIsImage(source, image);
  const read = readConfig(bytes, source.name);
  const document = config
    ? configDocument(read)
    : inspection({
        name: nameIn(location),
        digest: root.descriptor.digest,
        tags: values['no-tags'] ? [] : await tagsOf(images, location, runtime),
        image,
        config: read,
      });
  io.stdout.write(formatted(document, format));
  return EXIT.ok;
}

/** As it is printed, with a line's end. */
function formatted(document: GoValue, format: string): string {
  if (!isJsonFormat(format)) return renderTemplate(format, document);
  return `${goJson(document, { indent: 4, escapeHtml: true })}\n`;
}

/** The image itself, or the one of a list that is for this machine. */
async function imageOf(
  source: ImageSource,
  root: StoredManifest,
  values: InspectValues,
  signal: AbortSignal,
): Promise<StoredManifest> {
  if (root.manifest.kind !== 'index') return root;
  const { manifests } = root.manifest;
  return source.manifest(chosenFrom(manifests, values, source.name), signal);
}

function chosenFrom(manifests: readonly Descriptor[], values: InspectValues, name: string): Digest {
  try {
    return instanceFor(manifests, readMachine(values)).digest;
  } catch (error) {
    throw withName(error, name);
  }
}

/** What is in an artifact's place of a config says nothing of layers and platforms. */
function checkIsImage({ name }: ImageSource, { manifest, descriptor }: StoredManifest): void {
  const type = manifest.kind === 'image' ? manifest.config?.mediaType : undefined;
  if (descriptor.mediaType !== OCI_MANIFEST || type === OCI_CONFIG) return;
  const message = `${name} is no image, its config is of type ${type}: see inspect --raw`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

async function configOf(
  source: ImageSource,
  image: StoredManifest,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { manifest, descriptor, bytes } = image;
  const config = manifest.kind === 'image' ? manifest.config : undefined;
  if (config !== undefined) return bytesOf(source, config, signal);
  if (kindOfMediaType(descriptor.mediaType) === 'schema1') {
    // The history of the uppermost layer is the config.
    const entries = schema1Entries(readConfig(bytes, source.name));
    return Buffer.from(JSON.stringify(entries.at(-1)?.compatibility ?? {}));
  }
  const message = `${source.name} is no image, it has no config: see inspect --raw`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

async function bytesOf(
  source: ImageSource,
  config: Descriptor,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (config.size > MAX_CONFIG_BYTES) {
    const message = `${source.name}: its config has ${config.size} bytes, more than ${MAX_CONFIG_BYTES}`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  const bytes = await source.blob(config, signal);
  if (bytes instanceof Uint8Array) return bytes;
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** `host/path`, where the place has such names. */
function nameIn(location: Location): string | undefined {
  if (location.transport === 'docker') {
    return `${location.reference.registry}/${location.reference.path}`;
  }
  const { transport } = location;
  if (transport !== 'docker-daemon' && transport !== 'docker-archive') return undefined;
  const named = location.reference === undefined ? undefined : parseNamed(location.reference);
  return named && `${named.registry}/${named.path}`;
}

/** All tags of the repository. Some registries show an image and not what is beside it. */
async function tagsOf(
  images: Images,
  location: Location,
  { log, signal }: Runtime,
): Promise<readonly string[]> {
  if (location.transport !== 'docker') return [];
  const tags: string[] = [];
  try {
    for await (const tag of images.repository(location.reference).tags(signal)) tags.push(tag);
  } catch (error) {
    if (!isError(error, 'UNAUTHORIZED', 'NOT_FOUND')) throw error;
    log.warn('the registry does not list the tags of this repository');
    return [];
  }
  return tags;
}
