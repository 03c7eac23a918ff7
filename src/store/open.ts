/** Opens images that are kept in files, or by a daemon. Each transport is loaded when it is used. */
import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import type { StoreLocation } from './location.ts';

/** What transports may need besides the location. */
export interface StoreSettings {
  /** For what is too large for memory; whoever makes a file there removes it. */
  readonly tmpdir: string;
  /** Blobs of `oci:` are here instead of in the layout (`--src-shared-blob-dir`, `--dest-shared-blob-dir`). */
  readonly sharedBlobDir?: string | undefined;
  /** `oci:` takes layers that are not compressed. */
  readonly acceptUncompressedLayers?: boolean | undefined;
  /** Further names of the image in a docker-archive: `host/path:tag`. */
  readonly additionalTags?: readonly string[] | undefined;
  /** `unix:///var/run/docker.sock`, `tcp://host:port`, …; DOCKER_HOST unless given. */
  readonly daemonHost?: string | undefined;
  /** Of ca.pem, cert.pem and key.pem, for a daemon over TLS; DOCKER_CERT_PATH unless given. */
  readonly daemonCertDir?: string | undefined;
  readonly daemonTlsVerify?: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a file of this folder offers, as far as it can. */
export interface Store<L extends StoreLocation = StoreLocation> {
  source(location: L, settings: StoreSettings, signal: AbortSignal): Promise<ImageSource>;
  sink(location: L, settings: StoreSettings, signal: AbortSignal): Promise<ImageSink>;
}

export async function openStoreSource(
  location: StoreLocation,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSource> {
  return (await storeOf(location)).source(location, settings, signal);
}

export async function openStoreSink(
  location: StoreLocation,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSink> {
  return (await storeOf(location)).sink(location, settings, signal);
}

async function storeOf({ transport }: StoreLocation): Promise<Store> {
  switch (transport) {
    case 'dir':
      return (await import('./dir.ts')).dirStore;
    case 'oci':
      return (await import('./oci-layout.ts')).ociStore;
    case 'oci-archive':
      return (await import('./oci-archive.ts')).ociArchiveStore;
    case 'docker-archive': {
      const [{ openDockerArchive }, { createDockerArchive }] = await Promise.all([
        import('./docker-archive-source.ts'),
        import('./docker-archive-sink.ts'),
      ]);
      return { source: openDockerArchive, sink: createDockerArchive };
    }
    case 'docker-daemon': {
      const { openDaemonImage, createDaemonImage } = await import('./docker-daemon.ts');
      return { source: openDaemonImage, sink: createDaemonImage };
    }
  }
}
