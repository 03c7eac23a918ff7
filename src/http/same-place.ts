/** Whether two names of registries are of one. */
import { lookup } from 'node:dns/promises';

import { isLoopbackHost } from './origin.ts';

/** Who has no name server must not wait for it. Milliseconds. */
const LOOKUP_MS = 3000;

/**
 * `is`: both are one port of this machine; `shares`: they have an address in common, as all have that are behind one
 * proxy; `undefined`: nothing says so.
 *
 * @param a as `host[:port]`
 */
export async function mayBeOne(a: string, b: string): Promise<'is' | 'shares' | undefined> {
  const [left, right] = [split(a), split(b)];
  if (left.port !== right.port) return undefined;
  const [ours, theirs] = await Promise.all([addressesOf(left.host), addressesOf(right.host)]);
  if (!ours.some((address) => theirs.includes(address))) return undefined;
  return isLoopbackHost(left.host) || isLoopbackHost(right.host) ? 'is' : 'shares';
}

function split(registry: string): { readonly host: string; readonly port: string } {
  const [, host = registry, port = '443'] = /^(.*?)(?::(\d+))?$/.exec(registry) ?? [];
  return { host, port };
}

/** What can't be looked up has no address in common with anything. */
async function addressesOf(host: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), LOOKUP_MS);
  });
  const found = lookup(host.replaceAll(/^\[|\]$/g, ''), { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  );
  const addresses = await Promise.race([found, late]);
  clearTimeout(timer);
  return addresses;
}
