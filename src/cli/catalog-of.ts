/** The best lists that a registry has. What only some registries need is loaded for them alone. */
import { distributionCatalog, type Catalog } from '../registry/catalog.ts';
import { DOCKER_HUB } from '../image/reference.ts';
import type { RegistryClient } from '../registry/client.ts';
import { Inventory } from '../registry/inventory.ts';

export async function catalogOf(client: RegistryClient): Promise<Catalog> {
  switch (client.profile.bulk) {
    case 'acr':
      return (await import('../azure/catalog.ts')).azureCatalog(client);
    case 'docker-hub':
      // The API knows Docker Hub's own repositories, and gets its login; a mirror has neither.
      if (client.registry !== DOCKER_HUB) return distributionCatalog(client);
      return (await import('../registry/docker-hub.ts')).dockerHubCatalog(client);
    case 'google':
      return (await import('../registry/google.ts')).googleCatalog(client);
    case 'zot':
      return (await import('../registry/zot.ts')).zotCatalog(client);
    default:
      return distributionCatalog(client);
  }
}

/**
 * What a registry's lists say of the tags that will be asked for; `undefined` where its lists say no
 * digests.
 *
 * @param wanted how many tags of a repository will be asked for.
 */
export async function inventoryOf(
  client: RegistryClient,
  wanted: (repository: string) => number,
): Promise<Inventory | undefined> {
  if (client.profile.bulk === undefined) return undefined;
  const { pages } = await catalogOf(client);
  if (pages === undefined) return undefined;
  const { registry, clock, log } = client;
  return new Inventory({ registry, pages, wanted, clock, log });
}
