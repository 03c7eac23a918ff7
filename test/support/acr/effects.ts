/**
 * What Azure Container Registry does wrong, as faults: to be given to `setFaults`.
 *
 * Sources: microsoft/containerregistry#108; Azure/acr#754; MicrosoftDocs «Troubleshoot push».
 */
import type { FaultEffect } from '../registry/faults.ts';

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

/** More requests than the tier allows; the answer doesn't always say how long to wait. */
export function tooManyRequests(retryAfterSeconds?: number): FaultEffect {
  const message =
    'Too many requests. Please visit https://aka.ms/acr/skus#sku-feature-matrix to view limits of all service tiers.';
  const retryAfter =
    retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) };
  return {
    status: 429,
    headers: { ...JSON_TYPE, ...retryAfter },
    body: JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message }] }),
  };
}

/** The same from the proxies before the registry, which know no JSON. */
export function tooManyRequestsAtEdge(): FaultEffect {
  const body = 'Ref A: 6E1C0F Ref B: FRA31EDGE0512 Ref C: 2024-01-01T00:00:00Z';
  return { status: 429, headers: { 'Content-Type': 'text/plain' }, body };
}

/** An address that the firewall doesn't let in. */
export function firewalled(address = '203.0.113.7'): FaultEffect {
  const message = `client with IP '${address}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`;
  const body = JSON.stringify({ errors: [{ code: 'DENIED', message }] });
  return { status: 403, headers: JSON_TYPE, body };
}
