/**
 * Refusals as Entra ID words them.
 *
 * Source: Microsoft identity platform, «Authentication and authorization error codes».
 */
import { randomUUID } from 'node:crypto';

import { json, type Reply } from '../registry/reply.ts';

export interface EntraError {
  readonly status: 400 | 401;
  /** As in OAuth 2: `invalid_client`, … */
  readonly error: string;
  /** The number behind AADSTS. */
  readonly code: number;
  readonly message: string;
}

export const UNSUPPORTED_GRANT: EntraError = {
  status: 400,
  error: 'unsupported_grant_type',
  code: 70003,
  message: 'The app requested an unsupported grant type.',
};
export const WRONG_SECRET: EntraError = {
  status: 401,
  error: 'invalid_client',
  code: 7000215,
  message:
    'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.',
};
export const NO_CREDENTIAL: EntraError = {
  status: 401,
  error: 'invalid_client',
  code: 7000216,
  message:
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
};
export const UNKNOWN_ASSERTION: EntraError = {
  status: 401,
  error: 'invalid_client',
  code: 70021,
  message: 'No matching federated identity record found for presented assertion.',
};
export const EXPIRED_ASSERTION: EntraError = {
  status: 401,
  error: 'invalid_client',
  code: 700024,
  message: 'Client assertion is not within its valid time range.',
};
export const WRONG_SCOPE: EntraError = {
  status: 400,
  error: 'invalid_scope',
  code: 1002012,
  message:
    'The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
};

export function unknownTenant(tenant: string): EntraError {
  const message = `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`;
  return { status: 400, error: 'invalid_request', code: 90002, message };
}

export function unknownClient(clientId: string, tenant: string): EntraError {
  const message = `Application with identifier '${clientId}' was not found in the directory '${tenant}'.`;
  return { status: 400, error: 'unauthorized_client', code: 700016, message };
}

export function unknownResource(audience: string, tenant: string): EntraError {
  const message = `The resource principal named ${audience} was not found in the tenant named ${tenant}.`;
  return { status: 400, error: 'invalid_resource', code: 500011, message };
}

/** `now` in ms. */
export function refuse({ status, error, code, message }: EntraError, now: number): Reply {
  const timestamp = new Date(now)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
  const trace = randomUUID();
  const correlation = randomUUID();
  const ids = `Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`;
  return json(status, {
    error,
    error_description: `AADSTS${code}: ${message} ${ids}`,
    error_codes: [code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  });
}
