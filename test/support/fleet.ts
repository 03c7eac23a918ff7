/**
 * A small registry as companies have it: nested names, shared base layers, multi-platform indexes
 * with attestations, plain images and artifacts, several tags on one digest.
 */
import {
  artifact,
  cosignSignature,
  cosignTag,
  image,
  index,
  layer,
  type BuiltBlob,
  type BuiltImage,
  type Family,
} from './images.ts';

export interface FleetTag {
  readonly repository: string;
  readonly tag: string;
  readonly image: BuiltImage;
}

const NAMES = ['web', 'api', 'team-a/worker', 'team-a/web', 'tools/ci/runner'];

/** `repositories` × `tags` tags under a namespace, the same each time. */
export function fleet(repositories = 20, tags = 10, namespace = 'acme'): FleetTag[] {
  return Array.from({ length: repositories }, (_, r) => {
    const repository = `${namespace}/${NAMES[r % NAMES.length]}${r < NAMES.length ? '' : `-${r}`}`;
    return Array.from({ length: tags }, (__, t) => {
      // The last tag stands on the same digest as the one before it.
      const version = t === tags - 1 ? t - 1 : t;
      const tag = t === tags - 1 ? 'latest' : `v1.${t}.0`;
      return { repository, tag, image: imageOf(`${repository}:${version}`, version) };
    });
  }).flat();
}

/** Layers that all images of a family share. */
function sharedLayers(mediaTypes: Family): BuiltBlob[] {
  return [
    layer({ seed: 'base', layerBytes: 200_000, mediaTypes }),
    layer({ seed: 'runtime', layerBytes: 50_000, mediaTypes }),
  ];
}

const SHARED = { oci: sharedLayers('oci'), docker: sharedLayers('docker') };

function imageOf(seed: string, version: number): BuiltImage {
  const mediaTypes = version % 3 === 1 ? 'docker' : 'oci';
  const of = (architecture: string): BuiltImage => {
    const own = layer({ seed: `${seed}/${architecture}`, layerBytes: 3000, mediaTypes });
    const layers = [...SHARED[mediaTypes], own];
    return image({ layers, seed, mediaTypes, platform: { os: 'linux', architecture } });
  };
  if (version % 3 === 2) return of('amd64');
  const entries = ['amd64', 'arm64'].map((architecture) => ({
    image: of(architecture),
    platform: { os: 'linux', architecture },
  }));
  return index(entries, { attestations: version % 3 === 0, mediaTypes });
}

/** One image of every kind that a registry may hold, by name. */
export function everyKind(): Record<string, BuiltImage> {
  const plain = image({ seed: 'plain' });
  return {
    oci: plain,
    docker: image({ seed: 'docker', mediaTypes: 'docker' }),
    index: imageOf('index', 0),
    'docker-list': imageOf('list', 1),
    artifact: artifact({ seed: 'chart', artifactType: 'application/vnd.cncf.helm.config.v1+json' }),
    [cosignTag(plain.root.digest)]: cosignSignature(plain.root.digest),
  };
}
