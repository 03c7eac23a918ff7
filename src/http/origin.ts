/**
 * Where a request may be led by an answer: redirects, upload Locations, token realms.
 *
 * Credentials are never an argument here: they are added per request, and only for the origin they
 * are for (registry/authorize.ts). This is about the way there.
 */
import { BlockList, isIP } from 'node:net';

import { RegistrySyncError } from '../base/errors.ts';
import { redactUrl } from '../base/redact.ts';

/**
 * Resolves `target`, which `from` answered with, and refuses ways that no honest server sends:
 * another protocol, https to http, and from a public host to a private address (a request forged in
 * our name).
 *
 * @throws {RegistrySyncError} `PROTOCOL`
 */
export function resolveHop(target: string, from: URL, what: string): URL {
  if (!URL.canParse(target, from.href)) throw refused(what, from, 'which is no URL');
  const url = new URL(target, from);
  const shown = redactUrl(url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(what, from, `to ${url.protocol}`);
  }
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    // A registry behind a proxy that ends TLS writes its own name with the wrong scheme.
    if (url.hostname !== from.hostname) throw refused(what, from, `to ${shown}, without TLS`);
    url.protocol = 'https:';
    if (url.port === '' || url.port === '80') url.port = from.port;
  }
  if (url.hostname === from.hostname) return url;
  if (isPrivateHost(url.hostname) && !isPrivateHost(from.hostname)) {
    throw refused(what, from, `to the private address ${shown}`);
  }
  return url;
}

const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  // What holds an IPv4 address: compatible, and translated by NAT64. (Mapped ones BlockList knows.)
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** Whether a URL's hostname is an address of a private network, or names this machine. */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$|\.$/g, '');
  if (isIP(host) === 4) return PRIVATE.check(host, 'ipv4');
  if (isIP(host) === 6) return PRIVATE.check(host, 'ipv6');
  return isLoopbackHost(host);
}

/** Whether a hostname is this machine's own. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[?::1\]?)$/.test(hostname);
}

function refused(what: string, from: URL, how: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `${from.host} sent ${what} ${how}: not followed`);
}
