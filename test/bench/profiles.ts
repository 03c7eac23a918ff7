/**
 * The registries of the benchmark, each the same every time: `small`, `fleet` and `fat`. Names are
 * `acme/…`; bases are shared by repositories, runtimes by the images of a repository.
 */
import { bytesContent, layerContent, type Content } from './content.ts';
import { imageBuilder, type ImageBuilder, type Layer } from './image-builder.ts';
import { partOf, type Manifest, type Model, type Repository } from './model.ts';

const ARCHITECTURES = ['amd64', 'arm64'];
const WORDS = ['web', 'api', 'worker', 'runner', 'gateway', 'auth', 'billing', 'search'];
const BASES = 5;
const KIB = 1024;

/** `small`, `fleet`, `fat`, or with `/N` the first N repositories of one. */
export function modelNamed(name: string): Model {
  const [profile = '', count] = name.split('/');
  const make = { small: () => fleet(20, 10), fleet: () => fleet(40, 50), fat }[profile];
  if (make === undefined) throw new Error(`no profile ${name}: small, fleet, fat or million`);
  const model = { ...make(), name };
  return count === undefined ? model : firstOf(model, Number(count));
}

/** The first `count` repositories. */
export function firstOf(model: Model, count: number): Model {
  const kept = new Set(model.repositories.slice(0, count).map((one) => one.name));
  const [profile = ''] = model.name.split('/');
  return partOf(model, `${profile}/${count}`, (repository) => kept.has(repository));
}

/** The model without every hundredth tag: what a target holds before the 1 % comes. */
export function before(model: Model): Model {
  const order = new Map(model.repositories.map((one, at) => [one.name, at]));
  return partOf(model, `${model.name} before`, (repository, nth) => {
    const size = model.repositories[0]?.tags.size ?? 0;
    return ((order.get(repository) ?? 0) * size + nth) % 100 !== 37;
  });
}

/** A number in the range that depends on the seed alone. */
function numberOf(seed: string, from: number, to: number): number {
  const { digest } = bytesContent(Buffer.from(seed));
  return from + (Number.parseInt(digest.slice(7, 15), 16) % (to - from + 1));
}

function collected(): { model: Omit<Model, 'name' | 'repositories'>; build: ImageBuilder } {
  const manifests = new Map<string, Manifest>();
  const blobs = new Map<string, Content>();
  const build = imageBuilder({
    manifest: (manifest) => manifests.set(manifest.digest, manifest),
    blob: (blob) => blobs.set(blob.digest, blob),
  });
  return { model: { manifests, blobs }, build };
}

function fleet(repositories: number, tags: number): Model {
  const { model, build } = collected();
  const shared = new Map<string, Layer>();
  const sharedLayer = (seed: string, from: number, to: number): Layer => {
    const known = shared.get(seed) ?? layerContent(seed, numberOf(seed, from, to) * KIB);
    shared.set(seed, known);
    return known;
  };
  const layersOf = (repository: number, version: number, architecture: string): Layer[] => {
    const base = `base ${repository % BASES} ${architecture}`;
    const own = `own ${repository} ${version} ${architecture}`;
    const owned = version % 20 === 0 ? 2 : ([1, 2, 2, 1, 2][version % 5] ?? 1);
    return [
      sharedLayer(base, 512, 1536),
      sharedLayer(`${base} packages`, 256, 1024),
      sharedLayer(`runtime ${repository} ${architecture}`, 8, 64),
      ...Array.from({ length: owned }, (_, at) =>
        layerContent(`${own} ${at}`, numberOf(`${own} ${at}`, 1, 40) * KIB),
      ),
    ];
  };
  const rootOf = (repository: number, version: number): Manifest => {
    // Of ten: two indexes with attestations, four without, four images without an index.
    const kind = version % 5;
    const family = version % 10 === 1 || version % 10 === 6 || kind === 2 ? 'docker' : 'oci';
    const image = (architecture: string): Manifest =>
      build.image({ layers: layersOf(repository, version, architecture), architecture, family });
    if (kind === 2 || kind === 4) return image('amd64');
    return build.index(
      ARCHITECTURES.map((architecture) => ({ architecture, manifest: image(architecture) })),
      { family, attestations: kind === 0 },
    );
  };
  return {
    ...model,
    name: 'fleet',
    repositories: Array.from({ length: repositories }, (_, repository): Repository => {
      const made = Array.from({ length: tags - 1 }, (__, version): [string, string] => [
        `v1.${version}.0`,
        rootOf(repository, version).digest,
      ]);
      const last = made.at(-1)?.[1] ?? rootOf(repository, 0).digest;
      return { name: nameOf(repository), tags: new Map([...made, ['latest', last]]) };
    }),
  };
}

function nameOf(repository: number): string {
  return `acme/${WORDS[repository % WORDS.length]}-${Math.floor(repository / WORDS.length)}`;
}

/** Four images of two layers of 512 MB. */
function fat(): Model {
  const { model, build } = collected();
  const repositories = Array.from({ length: 4 }, (_, at): Repository => {
    const layers = [0, 1].map((nth) => layerContent(`fat ${at} ${nth}`, 512_000_000));
    const { digest } = build.image({ layers, architecture: 'amd64', family: 'oci' });
    return { name: `acme/fat-${at}`, tags: new Map([['latest', digest]]) };
  });
  return { ...model, name: 'fat', repositories };
}
